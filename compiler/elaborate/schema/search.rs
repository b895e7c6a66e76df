//! The section `search`.

use super::{Default, Form, Key, Kind, Section, count, form, number, optional, required, share, time};

const ONLY_RANDOM: &str = "this version searches by `random`, `aging_evolution` and `nsga2`";

/// Integers are exact in a double up to here.
const MAX_SEED: f64 = 9_007_199_254_740_992.0;

/// `search { ... }`.
pub(super) const SEARCH: Section = Section {
    name: "search",
    doc: "How networks are chosen from the space, and how many are trained.",
    keys: &[
        required("strategy", Kind::Forms(STRATEGIES), "random", "How points of the space are chosen."),
        required("trials", count(1.0, 1e6), "100", "Networks to train."),
        optional(
            "finalists",
            count(1.0, 1e6),
            Default::Integer(1),
            "3",
            "Best networks, which are trained again with other seeds; at most `trials`.",
        ),
        optional("replicates", count(1.0, 1000.0), Default::Integer(1), "2", "Trainings of each finalist."),
        optional(
            "window",
            count(1.0, 1024.0),
            Default::Integer(4),
            "4",
            "Trials that may be in flight; part of the spec because it decides what a strategy has seen.",
        ),
        optional(
            "seed",
            count(0.0, MAX_SEED),
            Default::Integer(0),
            "7",
            "Everything random follows from it.",
        ),
        optional(
            "stop",
            time(1.0, 3.2e7),
            Default::Absent,
            "30 min",
            "No trial is started after so long, unless `--budget` says otherwise; the lock has how many there were.",
        ),
        optional(
            "proxy",
            Kind::Forms(PROXIES),
            Default::Absent,
            "zero_cost(naswot, top: 20 %)",
            "A figure without training that decides who is trained.",
        ),
        optional(
            "fidelity",
            Kind::Forms(FIDELITIES),
            Default::Absent,
            "halving([3, 10, 30])",
            "Trains many briefly, and the better ones for longer.",
        ),
        optional(
            "inherit",
            count(1.0, 1e6),
            Default::Absent,
            "10",
            "Epochs of a network that was changed from another one: it begins with that one's weights, where shapes \
             allow. Without it every network begins anew, as finalists always do.",
        ),
        optional(
            "morphs",
            Kind::List(&Kind::Forms(MORPHS)),
            Default::Absent,
            "[step(filters, by: [1, 3, 5]), insert, remove]",
            "Changes that a strategy may make to a network; without it every legal one.",
        ),
        optional(
            "networks",
            Kind::Forms(&[
                form("one", &[], "One network, which meets what is required on every target."),
                form(
                    "each",
                    &[],
                    "A search for each target. They share the trials that they have in common.",
                ),
            ]),
            Default::Absent,
            "each",
            "Whether several targets share a network; without it they do.",
        ),
        optional(
            "reference",
            Kind::List(&Kind::Amount),
            Default::Absent,
            "[accuracy(80 %), ram(64 KiB)]",
            "The corner from which the volume of a front is measured.",
        )
        .later("leave `reference` out"),
    ],
    later: None,
};

const POPULATION: Key =
    optional("population", count(2.0, 1e5), Default::Integer(100), "100", "Networks alive at a time.");

const MUTATION: Key = optional(
    "mutation",
    share(0.0, 1.0),
    Default::Number(0.1),
    "10 %",
    "Chance that a decision is drawn anew.",
);
const CROSSOVER: Key = optional(
    "crossover",
    share(0.0, 1.0),
    Default::Number(0.5),
    "50 %",
    "Share of children that have two parents.",
);

/// Source  µNAS, arXiv:2010.14246; Once-for-All, arXiv:1908.09791; SpArSe, arXiv:1905.12107; MicroNets, arXiv:2010.11267
pub(super) const STRATEGIES: &[Form] = &[
    form("random", &[], "Independent draws."),
    form("grid", &[], "Every point in order.").later(ONLY_RANDOM),
    form(
        "aging_evolution",
        &[
            POPULATION,
            optional(
                "tournament",
                count(1.0, 1e5),
                Default::Integer(25),
                "25",
                "Networks drawn, the best of which is changed; at most `population`.",
            ),
        ],
        "The newest comes in, the oldest goes.",
    ),
    form(
        "evolution",
        &[
            POPULATION,
            optional("generations", count(1.0, 1e5), Default::Integer(30), "30", "Rounds."),
            optional(
                "parents",
                Kind::OneOf(&[count(1.0, 1e5), share(0.01, 1.0)]),
                Default::Number(0.25),
                "25 %",
                "How many, or which share, go on and have children.",
            ),
            MUTATION,
            CROSSOVER,
        ],
        "Generations of which the best go on.",
    )
    .later(ONLY_RANDOM),
    form(
        "nsga2",
        &[POPULATION, MUTATION, CROSSOVER],
        "Sorts by dominance and crowding, for several objectives.",
    ),
    form(
        "mobo",
        &[
            optional(
                "kernel",
                Kind::Forms(&[
                    form("arc", &[], "Knows that a decision may be inactive."),
                    form("matern", &[], "Matérn 5/2 on all decisions."),
                ]),
                Default::Word("arc"),
                "arc",
                "How alike two points are.",
            ),
            optional(
                "scalarize",
                Kind::Forms(&[
                    form("chebyshev", &[], "The worst of the weighted objectives."),
                    form("linear", &[], "Their weighted sum."),
                ]),
                Default::Word("chebyshev"),
                "chebyshev",
                "How objectives become one, with random weights.",
            ),
            optional(
                "acquisition",
                Kind::Forms(&[
                    form("thompson", &[], "A function drawn from the model."),
                    form("improvement", &[], "Expected improvement."),
                ]),
                Default::Word("thompson"),
                "thompson",
                "What the next point makes large.",
            ),
            optional(
                "initial",
                count(1.0, 1e5),
                Default::Integer(15),
                "15",
                "Random points before the model is asked.",
            ),
        ],
        "Bayesian optimisation of several objectives.",
    )
    .later(ONLY_RANDOM),
    form(
        "dnas",
        &[
            optional(
                "temperature",
                Kind::Course(1e-3, 1e3),
                Default::Absent,
                "5..0.1",
                "Of the soft choices at the start and in the end; without it 5 and 0.1.",
            ),
            optional(
                "weight",
                number(0.0, 1e6),
                Default::Number(1.0),
                "0.1",
                "Of the costs that are above their limits.",
            ),
            optional(
                "lr",
                number(1e-9, 10.0),
                Default::Number(0.01),
                "0.01",
                "Learning rate of the choices.",
            ),
        ],
        "Chooses by gradients, with all options in one network.",
    )
    .later(ONLY_RANDOM),
    form("morphs", &[], "Changes of the best networks so far alone.").later(ONLY_RANDOM),
];

const PROXIES: &[Form] = &[form(
    "zero_cost",
    &[
        required(
            "score",
            Kind::Forms(&[
                form("naswot", &[], "How differently samples switch activations."),
                form("synflow", &[], "Flow of signal through all weights."),
                form("macs", &[], "Multiply-accumulates."),
            ]),
            "naswot",
            "Which figure.",
        )
        .positional(),
        optional(
            "top",
            share(0.001, 1.0),
            Default::Number(0.2),
            "20 %",
            "Share that is trained: of so many candidates that meet what is required of costs, the best by score.",
        ),
    ],
    "A score of untrained networks. Scores favour large networks: they are for specs that ask for quality.",
)];

const FIDELITIES: &[Form] = &[form(
    "halving",
    &[required(
        "epochs",
        Kind::List(&count(1.0, 1e6)),
        "[3, 10, 30]",
        "After each of these numbers of epochs the better half goes on, in the end to all `epochs`. Each leg has a \
         whole schedule of the learning rate, so that networks are compared at their best.",
    )
    .positional()],
    "Successive halving.",
)];

const MORPHS: &[Form] = &[
    form(
        "step",
        &[
            required("decision", Kind::DecisionName, "filters", "Which.").positional(),
            optional(
                "by",
                Kind::List(&count(1.0, 1e6)),
                Default::Absent,
                "[1, 3, 5]",
                "How many positions, up or down; without it one.",
            ),
        ],
        "Moves a number within its range.",
    ),
    form(
        "change",
        &[required("decision", Kind::DecisionName, "body", "Which.").positional()],
        "Draws another value of a decision.",
    ),
    form("insert", &[], "Adds a repetition somewhere."),
    form("remove", &[], "Removes a repetition."),
];
