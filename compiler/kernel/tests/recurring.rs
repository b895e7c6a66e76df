//! Layers that were lowered before: the program is what it would be if they had not been.

use super::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn programs_do_not_depend_on_what_was_lowered_before(seeds in proptest::array::uniform4(0u64..500)) {
        for isa in [Isa::Portable, Isa::Armv7em] {
            for seed in seeds {
                let graph = Net::random(seed, false);
                // A thread of its own has lowered nothing before.
                let fresh = std::thread::scope(|scope| scope.spawn(|| lower(&graph, isa)).join().expect("ends"));
                // The second time all layers are known.
                for _ in 0..2 {
                    prop_assert_eq!(&lower(&graph, isa), &fresh);
                }
            }
        }
    }
}
