r"""When a loss with negative weights has a lower bound in a student's logits, and when it must diverge.

Let student k be trained against peers with finite logits. Write $s_c = \max z - z_c \ge 0$ (one of them is 0) and
$\tau$ for the smoothed label: $\tau_c = \epsilon/C$, and $1-\epsilon$ more at the label. Of soft labels it is the row
itself, class weights multiply it; let M be its sum, 1 without them. (Where a row counts more in the cross-entropy than
in the divergences, tau is that many times larger.) Up to bounded terms, in which only C, the order and the peer's least
probability occur,

- the cross-entropy is $\sum_c \tau_c s_c$,
- $T^2 D_\alpha$ at temperature T is $T \max_c s_c$ for orders above 1 and $T \sum_c p_c s_c$ at order 1,
- $D_\alpha$ below order 1 is bounded: $\sum p^\alpha q^{1-\alpha}$ is concave in q, hence least at a vertex, so that
  $D_\alpha(p\|q) \le \frac\alpha{1-\alpha}\log\frac1{\min p}$, with equality at the vertex.

So $L_k$ is bounded below if and only if $r(s) = \sum_c m_c s_c + a \max s \ge 0$ for all such s, with $m = \tau +
\sum_{\alpha_{kj}=1} T w_{kj} p_j$ and $a = T\sum_{\alpha_{kj}>1} w_{kj}$. Sort s: r is a sum with weights >= 0 of $f(S)
= \sum_{c\in S} m_c + a$ over nonempty proper sets S of classes (r is the Lovász extension of f), so the loss is bounded
if and only if no f(S) is negative. *It must diverge* where some f(S) is negative whatever the p_j are. Let u and d be
the sums of T w and of -T w over the positive and the negative weights at order 1: the $m_c$ sum to M + u - d.

- a < 0: all of it hangs on S = {c}, which needs $m_c \ge -a$. Attraction at order 1 must make up for what the $\tau_c$
  fall short of -a, and the sum of the m_c must be at least -aC. Where both hold there are peers with a bounded loss.
- a >= 0 and M + u - d < 0: over the sets of C - 1 classes $\sum_S m$ has the mean $\frac{C-1}C(M+u-d)$, and one is not
  above it; equal m_c are the best case.
- a >= 0 and M + u - d >= 0: peers at (tau + u p) / (M + u), or as near to it as finite logits come, do no harm, except
  without attraction where some tau_c is 0 (every class but the label's, unless it is smoothed): then m_c < 0 there.

In particular, with all weights negative: below order 1 there is always a bound; without label smoothing no weight,
however small, has one from order 1 on; with it $T|w| \le \epsilon/C$ is enough for every peer.

Together: $\sum p^\alpha q^{1-\alpha} \ge p_y^\alpha q_y^{1-\alpha}$ gives, for $\alpha\in(0,1)$ and with smoothing as
well, $D_\alpha(p\|q) \le \mathrm{CE}(q) + \frac\alpha{1-\alpha}\mathrm{CE}(p)$: at temperature 1 the losses of all
students add up to at least 0, however they move, if no $\sum_j |w_{kj}| + \sum_j
\frac{\alpha_{jk}}{1-\alpha_{jk}}|w_{jk}|$ is above 1, for one order and equal weights: if $|\lambda| \le 1 - \alpha$.
(This project.)
"""

import math

import torch
from torch import Tensor

from .arguments import Pairs
from .labels import Batch

_ROUNDING = 1e-12  # of the sums over classes; a loss that falls so slowly does no harm


def refuse_what_must_diverge(pairs: Pairs, batch: Batch, temperature: float) -> None:
    """Raise ValueError if a student's loss has no lower bound whatever its peers' (finite) logits are."""
    repelled = {pair.student for pair in pairs if pair.weight < 0}
    target = _targets(batch) if repelled else None
    if target is None:
        return
    for k in repelled:
        own = [(pair.weight / temperature, pair.order) for pair in pairs if pair.student == k]
        above = math.fsum([w for w, order in own if order > 1])
        up, down = (math.fsum([max(0.0, sign * w) for w, order in own if order == 1]) for sign in (1, -1))
        if must_diverge(above, up, down, target):
            raise ValueError(
                f"the loss of student {k} has no lower bound: at orders >= 1 its peers repel it with net weight "
                f"{(above + up - down) / temperature:g}; repel at orders below 1, where the divergence is bounded"
            )


def _targets(batch: Batch) -> Tensor | None:
    """The tau (n, C) that occur, in float64 or as given; None where reading them would wait for an accelerator."""
    rows, classes = batch.labels, batch.students.shape[-1]
    if rows.ndim == 1:
        rows = torch.full((1, classes), batch.smoothing / classes, dtype=torch.float64, device="cpu")
        rows[:, :1] += 1 - batch.smoothing
    if torch.compiler.is_compiling() or not all(x.is_cpu for x in (rows, *batch.counts)):
        return None
    if not batch.counts:
        return rows
    entropy, attraction = (x[batch.counts[1] > 0].double() for x in batch.counts)
    if batch.labels.ndim == 2:
        return rows[batch.counts[1] > 0] * (entropy / attraction)[:, None]
    return rows * (entropy / attraction).unique()[:, None]


def must_diverge(above: float, up: float, down: float, target: Tensor) -> bool:
    """Whether for a row some f(S) is negative for all peers; a, u and d of the text above, and tau (n, C)."""
    classes, left = target.shape[-1], target.sum(-1) + (up - down)
    if classes == 1:
        return False
    if above < 0:
        short = (-above - target).clamp(min=0).sum(-1)
        found = (short > up + _ROUNDING) | (left < -above * classes - _ROUNDING)
    else:
        found = above + left * (classes - 1) / classes < -_ROUNDING
        if above == up == 0 < down:
            found |= (target == 0).any(-1)
    return bool(found.any())
