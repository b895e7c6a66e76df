//! E08xx: training, search and store.

use super::codes;

codes! {
    DIVERGED = 801, "Training went wrong: the loss or a parameter is no longer finite, or the loss stayed far above that of the untrained network. A trial that diverges is marked and the search goes on; this message means that all of them did, or the one asked for. The notes name the epoch, the losses before it and the first parameter or layer that is not finite. Lower the learning rate, limit gradients by `clip`, or let the rate rise by `warmup`.";
    STORE = 802, "The store of trials, `.nasc/trials.sqlite` beside the spec, cannot be opened or written, is damaged, or is of a later version of nasc. Finished trials are never overwritten. Move the file away to start afresh.";
    NOTHING_TRAINED = 803, "The search ended without one trained network: every candidate was rejected before training, or failed in it. The notes say why, most frequent reason first.";
    CANCELLED = 804, "The run was stopped by Ctrl-C or a signal before it had a result. What was finished is kept; the same command goes on from there.";
    NO_EFFECT = 805, "Something in the spec is understood and checked, but this version of nasc does not act on it: `prefer` has no effect on the `random` strategy. State a hard limit by `require`, or an order by `minimize`.";
    NOT_YET = 806, "The spec says something that the language has and this version of nasc only checks: a strategy, a loss, a reader of data. `nasc check` accepts it; commands that train or compile stop here, since they would have to leave it out. The help says what to write instead.";
    ENGINE_MISSING = 807, "`--engine torch` trains on libtorch, which nasc is built without unless it is asked for: the feature `torch` needs libtorch on the machine that builds. Build with `--features torch`, or leave the option out; the embedded engine is in every build.";
}
