//! Splits the builds of a plan among machines, each of which makes one shard.
//!
//! Every machine splits for itself. So the result depends on the builds and their costs alone, and not on what a machine
//! has built before.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use catalog::Platform;
use ferror::{Error, Result};

/// The most machines that share a plan.
const MOST: u64 = 256;

// The unit is the time that one crate of the dependencies takes. ARCHITECTURE.md says how the figures were measured: "How
// machines share the builds of a plan".

/// What compiling and linking a service costs besides its dependencies.
const SERVICE: u64 = 16;
/// What the first build for a platform costs besides the crates: a standard library, and zig's part of the C library.
const PLATFORM: u64 = 40;
/// What stamping and packing a published binary costs.
const PACK: u64 = 1;

/// One machine of those that share a plan, written `2/3`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shard {
    /// From 1 to `total`.
    pub number: u64,
    /// How many there are.
    pub total: u64,
}

/// The part of a plan that one machine makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The machine.
    pub shard: Shard,
    /// All builds of the plan, sorted by platform and service.
    pub split: Vec<Assigned>,
}

/// A build, and the number of the shard that makes it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Assigned {
    /// The platform.
    pub platform: Platform,
    /// The service.
    pub service: String,
    /// From 1.
    pub shard: u64,
}

/// The costs of builds. What is not listed costs as much as the least build does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Costs {
    /// By service and platform.
    pub builds: BTreeMap<(String, Platform), u64>,
    /// What a machine pays once for each platform that it builds anything for.
    pub platforms: BTreeMap<Platform, u64>,
}

/// A build whose cost is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Work<'a> {
    /// The service.
    pub service: &'a str,
    /// The platform.
    pub platform: Platform,
    /// The packages that are compiled for it, by number; `None` where a published binary is packed.
    pub packages: Option<&'a [usize]>,
}

impl Shard {
    /// Returns shard `number` of `total`; `None` where there is no such shard.
    pub fn new(number: u64, total: u64) -> Option<Self> {
        let is_one = (1..=MOST).contains(&total) && (1..=total).contains(&number);
        is_one.then_some(Self { number, total })
    }

    /// Reads `2-of-3`, as it stands in the names of files.
    pub fn of_file(text: &str) -> Option<Self> {
        let (number, total) = text.split_once("-of-")?;
        let shard = Self::new(number.parse().ok()?, total.parse().ok()?)?;
        // No other spelling, such as `+2-of-03`.
        (shard.in_file() == text).then_some(shard)
    }

    /// Returns it as it stands in the names of files: `2-of-3`.
    pub fn in_file(self) -> String {
        format!("{}-of-{}", self.number, self.total)
    }
}

impl Part {
    /// Says how many of the builds are in this part.
    pub fn count(&self) -> String {
        let own = self.split.iter().filter(|build| build.shard == self.shard.number).count();
        format!("{own} of {} archives", self.split.len())
    }
}

impl FromStr for Shard {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parts = text.split_once('/');
        let shard = parts.and_then(|(one, all)| Self::of_file(&format!("{one}-of-{all}")));
        shard.ok_or_else(|| {
            Error::usage(format!(
                "shard {text:?}: expected I/N, from 1/N to N/N with N up to {MOST}, such as 2/3"
            ))
        })
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.total)
    }
}

impl Costs {
    /// Computes the costs of builds. A package that several services of a platform need is compiled once on each machine
    /// that builds any of them, so it counts for the platform.
    pub fn of(all: &[Work<'_>]) -> Self {
        let mut costs = Self::default();
        let mut users = BTreeMap::<(Platform, usize), u64>::new();
        for Work { platform, packages, .. } in all {
            for package in packages.iter().copied().flatten() {
                *users.entry((*platform, *package)).or_default() += 1;
            }
            costs.platforms.insert(*platform, PLATFORM);
        }
        for ((platform, _), _) in users.iter().filter(|(_, users)| **users > 1) {
            *costs.platforms.entry(*platform).or_default() += 1;
        }
        for Work { service, platform, packages } in all {
            let is_own = |package: &&usize| users[&(*platform, **package)] == 1;
            let cost = packages.map_or(PACK, |packages| {
                SERVICE + packages.iter().filter(is_own).map(|_| 1).sum::<u64>()
            });
            costs.builds.insert(((*service).to_owned(), *platform), cost);
        }
        costs
    }

    fn of_build(&self, service: &str, platform: Platform) -> u64 {
        self.builds.get(&(service.to_owned(), platform)).copied().unwrap_or(SERVICE)
    }

    fn of_platform(&self, platform: Platform) -> u64 {
        self.platforms.get(&platform).copied().unwrap_or(PLATFORM)
    }
}

/// Gives each build to one of `total` shards, so that the dearest shard is as cheap as it can be where each takes a run
/// of the builds as they are sorted: platforms stay together as far as possible. The order of `builds` does not matter.
pub fn split(builds: &[(&str, Platform)], costs: &Costs, total: u64) -> Vec<Assigned> {
    let builds: BTreeSet<_> =
        builds.iter().map(|(service, platform)| (*platform, *service)).collect();
    let priced: Vec<_> = builds
        .iter()
        .map(|(platform, service)| (*platform, costs.of_build(service, *platform)))
        .collect();
    let alone =
        |(platform, cost): &(Platform, u64)| cost.saturating_add(costs.of_platform(*platform));
    let mut least = priced.iter().map(alone).max().unwrap_or_default();
    let mut enough = priced.iter().map(alone).fold(0, u64::saturating_add);
    while least < enough {
        let middle = least + (enough - least) / 2;
        if fill(&priced, costs, middle).last().is_some_and(|last| *last > total) {
            least = middle + 1;
        } else {
            enough = middle;
        }
    }
    let shards = fill(&priced, costs, enough);
    let assigned = builds.into_iter().zip(shards);
    assigned
        .map(|((platform, service), shard)| Assigned {
            platform,
            service: service.to_owned(),
            shard,
        })
        .collect()
}

/// Returns the shard of each build, where every shard takes builds until the next one would make it cost more than `most`.
fn fill(builds: &[(Platform, u64)], costs: &Costs, most: u64) -> Vec<u64> {
    let (mut shard, mut spent, mut on) = (1, 0_u64, None);
    let mut shards = Vec::new();
    for (platform, cost) in builds {
        let first = cost.saturating_add(costs.of_platform(*platform));
        let cost = if on == Some(*platform) { *cost } else { first };
        if spent > 0 && spent.saturating_add(cost) > most {
            (shard, spent) = (shard + 1, first);
        } else {
            spent = spent.saturating_add(cost);
        }
        on = Some(*platform);
        shards.push(shard);
    }
    shards
}

#[cfg(test)]
mod tests {
    use catalog::Platform;

    use super::{Assigned, Costs, PACK, PLATFORM, SERVICE, Shard, Work, split};

    #[test]
    fn shards_are_read_in_one_spelling() {
        for (text, number, total) in [("1/1", 1, 1), ("2/3", 2, 3), ("256/256", 256, 256)] {
            let shard: Shard = text.parse().unwrap();
            assert_eq!((shard.number, shard.total), (number, total));
            assert_eq!(shard.to_string(), text);
            assert_eq!(Shard::of_file(&shard.in_file()), Some(shard));
        }
        for text in [
            "", "1", "/", "0/2", "3/2", "1/0", "1/257", "+1/2", "01/2", "1/2/3", "1-of-2/2",
            "1-of-2", "a/b", "1 / 2",
        ] {
            let error = text.parse::<Shard>().expect_err(text);
            assert_eq!(error.kind(), ferror::Kind::Usage);
            assert!(error.to_string().contains("such as 2/3"), "{error}");
        }
    }

    /// Makes numbers that look random and are the same in every run.
    struct Numbers(u64);

    impl Numbers {
        fn below(&mut self, end: u64) -> u64 {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) % end
        }
    }

    /// Returns what each shard costs, by adding up what it has to do.
    fn spent(assigned: &[Assigned], costs: &Costs, total: u64) -> Vec<u64> {
        let of_shard = |number| {
            let own: Vec<_> = assigned.iter().filter(|build| build.shard == number).collect();
            let mut platforms: Vec<_> = own.iter().map(|build| build.platform).collect();
            platforms.dedup();
            let builds = own.iter().map(|build| costs.of_build(&build.service, build.platform));
            builds.chain(platforms.into_iter().map(|one| costs.of_platform(one))).sum()
        };
        (1..=total).map(of_shard).collect()
    }

    /// Returns the least cost of the dearest shard over all ways to cut `builds` into runs.
    fn best(builds: &[Assigned], costs: &Costs, total: u64) -> u64 {
        if total == 1 || builds.is_empty() {
            return spent(builds, costs, 1).into_iter().max().unwrap_or_default();
        }
        let cut = |at: usize| {
            let first = spent(&builds[..at], costs, 1)[0];
            first.max(best(&builds[at..], costs, total - 1))
        };
        (0..=builds.len()).map(cut).min().unwrap()
    }

    #[test]
    fn every_build_is_on_one_shard_and_the_dearest_shard_is_as_cheap_as_it_can_be() {
        let mut numbers = Numbers(7);
        for round in 0..300 {
            let mut costs = Costs::default();
            let mut builds = Vec::new();
            let names: Vec<String> =
                (0..numbers.below(4)).map(|n| format!("service-{n}")).collect();
            for name in &names {
                for platform in Platform::ALL.into_iter().take(3) {
                    if numbers.below(4) > 0 {
                        builds.push((name.as_str(), platform));
                    }
                    if numbers.below(5) > 0 {
                        costs.builds.insert((name.clone(), platform), numbers.below(100));
                    }
                }
            }
            for platform in Platform::ALL.into_iter().take(2) {
                costs.platforms.insert(platform, numbers.below(100));
            }
            let total = 1 + numbers.below(5);
            let assigned = split(&builds, &costs, total);

            let mut found: Vec<_> =
                assigned.iter().map(|build| (build.service.as_str(), build.platform)).collect();
            found.sort_unstable();
            let mut expected = builds.clone();
            expected.sort_unstable();
            assert_eq!(found, expected, "round {round}: each build once");
            assert!(
                assigned.iter().all(|build| (1..=total).contains(&build.shard)),
                "{assigned:?}"
            );
            builds.reverse();
            assert_eq!(split(&builds, &costs, total), assigned, "another order of the same builds");

            let all: Vec<_> =
                assigned.iter().map(|build| Assigned { shard: 1, ..build.clone() }).collect();
            let dearest = spent(&assigned, &costs, total).into_iter().max().unwrap();
            assert_eq!(dearest, best(&all, &costs, total), "round {round}: {assigned:?} {costs:?}");
        }
    }

    #[test]
    fn costs_that_are_absurd_overflow_nothing() {
        let [first, second, ..] = Platform::ALL;
        let mut costs = Costs::default();
        costs.builds.insert(("a".into(), first), u64::MAX);
        costs.builds.insert(("b".into(), first), u64::MAX - 1);
        costs.platforms.insert(second, u64::MAX);
        let assigned = split(&[("a", first), ("b", first), ("c", second)], &costs, 3);
        assert_eq!(assigned.len(), 3);
    }

    #[test]
    fn without_costs_platforms_stay_together() {
        let [first, second, ..] = Platform::ALL;
        let builds = [("a", first), ("b", first), ("a", second), ("b", second)];
        let shards = |total| -> Vec<u64> {
            split(&builds, &Costs::default(), total).iter().map(|build| build.shard).collect()
        };
        assert_eq!(shards(1), [1, 1, 1, 1]);
        assert_eq!(shards(2), [1, 1, 2, 2]);
        assert_eq!(shards(4), [1, 2, 3, 4]);
        assert_eq!(shards(9), [1, 2, 3, 4], "the rest has nothing to do");
        assert!(split(&[], &Costs::default(), 3).is_empty());
    }

    #[test]
    fn what_services_share_counts_for_the_platform() {
        let [first, second, ..] = Platform::ALL;
        let work = |service, platform, packages| Work { service, platform, packages };
        let costs = Costs::of(&[
            work("a", first, Some(&[1, 2, 3])),
            work("b", first, Some(&[2, 3, 4, 5])),
            work("c", first, None),
            work("a", second, Some(&[1, 2, 3])),
            work("unknown", second, Some(&[])),
        ]);
        let build = |service, platform| costs.of_build(service, platform);
        assert_eq!([build("a", first), build("b", first)], [SERVICE + 1, SERVICE + 2]);
        assert_eq!(build("c", first), PACK);
        assert_eq!(costs.of_platform(first), PLATFORM + 2);
        assert_eq!([build("a", second), build("unknown", second)], [SERVICE + 3, SERVICE]);
        assert_eq!(costs.of_platform(second), PLATFORM);
        assert_eq!(build("of another plan", first), SERVICE);
    }
}
