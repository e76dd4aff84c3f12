"""The study of when mutual learning helps, on real images; imports theory and every other room of training.

`problems` says what is trained, `images` makes the small colour pictures, `record` reduces answers to numbers, `paths`
trains, `predictions` writes down what is expected before anything is coupled, `worth` tunes mutual learning and what a
sceptic would use instead, `distillation` is one of these, `law` and `scope` test theorems on the same runs;
`python -m training.study` runs it all.
"""
