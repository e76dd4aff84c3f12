r"""Formulas of constant-rate SGD on mutual-learning students, which `theory.theorems.dynamics` states and checks; this
room imports theory.divergence and the files of theory.

`descent` has the smoothness, the rates that it allows and the bound of SGD, `detaching` what detached peers drop and
the bias that this leaves, `stationary` where the iterates settle, `scope` the ball that they stay in, `tempering` what
the order does beyond a weight, `worstcase` how far the bound is from the exact worst case.

Setting: K students with logits $z_k(\theta_k,x)$; student k minimises $E_x[\mathrm{CE} + \frac{\lambda}{K-1}\sum_{j\ne
k} D_\alpha(p_j\|p_k)]$ with detached peers. The arguments that the functions share:

    jacobian:    R, a bound on the spectral norm of dz/dtheta
    curvature:   R2, a bound on the norm of the second derivative of z in theta (0 for linear students)
    alpha, lam:  the order and the weight
    osc:         a bound on max l - min l, l = log(p_j/p_k); inf if none is known

All of them broadcast.
"""
