import { took } from "#model/quantities.ts";
import type { HostFacts } from "./facts.ts";

/** What can be wrong with a host, by the names that `--ignore` takes. */
export const preflightChecks = [
  "system",
  "architecture",
  "kernel",
  "library",
  "tools",
  "clock",
  "disk",
  "memory",
  "ports",
  "server",
  "foreign",
  "member",
] as const;

export type PreflightCheck = (typeof preflightChecks)[number];

export interface Fault {
  readonly check: PreflightCheck;
  /** A fragment that goes on from the host's name: `m2 has 90 MiB left …`. */
  readonly what: string;
  /** The next step: a full sentence. */
  readonly remedy: string;
}

export interface HostNeeds {
  /** As `uname -m` calls them: those that there are programs for here. */
  readonly architectures: readonly string[];
  /** Of the parts that the host lacks: packed, and unpacked beside it. */
  readonly copyBytes: number;
  /** Ports that its edge is to listen on. */
  readonly ports: readonly number[];
  /** Where the machine is to join. */
  readonly join: string;
  /** What the server calls the machine that this host is to become. */
  readonly name: string;
  /** Whether the agent of that machine is linked. */
  readonly isLinked: boolean;
  readonly nowMs: number;
}

/** What the agent writes before an app has written anything: its state, its log, and the start of theirs. */
const homeBytes = 256 * 2 ** 20;
/** An agent and an edge with what they do (README: 60 MB each), and room for one small app. */
const memoryBytes = 256 * 2 ** 20;
/** More, and times in logs and events cannot be compared any more; certificates would bear two days. */
const clockMs = 10 * 60_000;
/** What Node 24 is built for: https://github.com/nodejs/node/blob/v24.x/BUILDING.md#platform-list */
const leastKernel = [4, 18] as const;
const leastLibrary = [2, 28] as const;

/** What keeps a host from becoming a machine: everything, so that it is mended in one go. Empty: nothing does. */
export function judgeHost(facts: HostFacts, needs: HostNeeds): readonly Fault[] {
  const faults: Fault[] = [];
  const fault = (check: PreflightCheck, what: string, remedy: string) => faults.push({ check, what, remedy });
  const mebibytes = (bytes: number) => `${Math.floor(bytes / 2 ** 20)} MiB`;

  if (facts.os !== "Linux") fault("system", `runs ${facts.os || "an unknown system"}`, "Choose a host that runs Linux.");
  else if (!needs.architectures.includes(facts.arch))
    fault(
      "architecture",
      `is ${facts.arch}, and the Drover here has programs for ${needs.architectures.join(" and ")} alone`,
      `Run this command where Drover is installed for ${facts.arch}, or install it on the host by hand and join it with a token.`,
    );
  if (isBelow(facts.kernel, leastKernel))
    fault("kernel", `has Linux ${facts.kernel}; ${leastKernel.join(".")} is the least`, "Upgrade its system.");
  if (!facts.libc.startsWith("glibc ") || isBelow(facts.libc.slice("glibc ".length), leastLibrary))
    fault(
      "library",
      facts.libc === "" ? "has no GNU C library" : `has ${facts.libc}; ${leastLibrary.join(".")} is the least`,
      "Choose a host with glibc: Debian 10, Ubuntu 20.04, RHEL 8 or a younger one.",
    );
  if (facts.lacks.length > 0) fault("tools", `lacks ${facts.lacks.join(", ")}`, "Install what is missing with its package manager.");
  const offMs = facts.clockMs - needs.nowMs;
  if (!(Math.abs(offMs) <= clockMs))
    fault(
      "clock",
      `has a clock that is ${Number.isFinite(offMs) ? `${took(Math.abs(offMs))} ${offMs < 0 ? "behind" : "ahead of"} this one's` : "unreadable"}`,
      'Set it, such as with "timedatectl set-ntp true".',
    );
  if (facts.optFreeBytes !== null && facts.optFreeBytes < needs.copyBytes)
    fault(
      "disk",
      `has ${mebibytes(facts.optFreeBytes)} left for /opt/drover, which takes ${mebibytes(needs.copyBytes)}`,
      "Make room there.",
    );
  if (facts.homeFreeBytes !== null && facts.homeFreeBytes < homeBytes)
    fault(
      "disk",
      `has ${mebibytes(facts.homeFreeBytes)} left for /var/lib/drover, where ${mebibytes(homeBytes)} are the least`,
      "Make room there.",
    );
  if (facts.memoryFreeBytes !== null && facts.memoryFreeBytes < memoryBytes && !facts.agentRuns)
    fault(
      "memory",
      `has ${mebibytes(facts.memoryFreeBytes)} of memory left; ${mebibytes(memoryBytes)} is the least`,
      "End what it does not need.",
    );
  const taken = facts.agentRuns ? [] : needs.ports.filter((port) => facts.ports.has(port));
  if (taken.length > 0)
    fault(
      "ports",
      `has port ${taken.join(" and ")} taken, where its edge is to listen`,
      "Give others with --http and --https, or end what listens there.",
    );
  if (facts.reachesServer === false)
    fault("server", `cannot reach the server at ${needs.join}`, 'Open that port from there; it is the address of the server\'s "--link".');
  for (const path of facts.foreign)
    fault(
      "foreign",
      `has a Drover in ${path} that was installed by hand`,
      "Join it with a token, as docs/guides/machines.md says, or take it away.",
    );
  if (facts.hasServer)
    fault(
      "member",
      "holds a Drover of its own in /var/lib/drover",
      'End it with "drover down", and move that folder away if nothing in it is needed.',
    );
  const isOther = facts.member !== null && (facts.member.name !== needs.name || (facts.member.address !== needs.join && !needs.isLinked));
  if (facts.member !== null && isOther)
    fault(
      "member",
      `has joined as "${facts.member.name}" at ${facts.member.address}`,
      `Name it so if it is one of this Drover's; else take it away from its own with "drover machine remove ${facts.member.name} --uninstall".`,
    );
  return faults;
}

/** What will not hold on a host that becomes a machine all the same; fragments that go on from its name. */
export function notesOn(facts: HostFacts): readonly string[] {
  return [
    ...(facts.hasSystemd ? [] : ["has no systemd: its agent runs, and nothing starts it again after a crash or at boot"]),
    ...(facts.cgroup === "none" ? ["has no control groups: apps have no limits there"] : []),
  ];
}

function isBelow(version: string, [leastMajor, leastMinor]: readonly [number, number]): boolean {
  const [, major = "0", minor = "0"] = /^(\d+)\.(\d+)/.exec(version) ?? [];
  return Number(major) < leastMajor || (Number(major) === leastMajor && Number(minor) < leastMinor);
}
