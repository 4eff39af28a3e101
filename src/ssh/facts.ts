/** How whoever logs in may do what only root may: they are root; `sudo` lets them, without or with a password; there is no `sudo`. */
export type Privilege = "root" | "free" | "password" | "missing";

/** What a host says of itself before anything is changed there. */
export interface HostFacts {
  readonly os: string;
  readonly arch: string;
  readonly kernel: string;
  readonly hostName: string;
  /** Epoch milliseconds by the host's clock, to the second. */
  readonly clockMs: number;
  /** Such as `glibc 2.36`; empty: another C library. */
  readonly libc: string;
  /** Programs that are needed and not there. */
  readonly lacks: readonly string[];
  /** Null: it could not be found out. */
  readonly optFreeBytes: number | null;
  readonly homeFreeBytes: number | null;
  readonly memoryFreeBytes: number | null;
  readonly cgroup: "1" | "2" | "none";
  readonly hasSystemd: boolean;
  /** TCP ports that something listens on. */
  readonly ports: ReadonlySet<number>;
  /** Whether the server's links can be reached from there; null: nothing there could try. */
  readonly reachesServer: boolean | null;
  /** What is in the way and is not ours to replace. */
  readonly foreign: readonly string[];
  /** It holds a Drover with a server of its own. */
  readonly hasServer: boolean;
  /** The machine that it has joined as, and where; null: it has joined nobody. */
  readonly member: { readonly name: string; readonly address: string } | null;
  readonly agentRuns: boolean;
  /** Digests of parts that are there. */
  readonly parts: ReadonlySet<string>;
  /** Bytes there are of a part whose copy was cut off, by its digest. */
  readonly partly: ReadonlyMap<string, number>;
}

/** Values by key, in the order in which they were said. */
export type Said = ReadonlyMap<string, readonly string[]>;

/** What the script said: its lines `drover:key=value`. What a login shell printed besides is no answer. */
export function readSaid(output: string): Said {
  const said = new Map<string, string[]>();
  for (const line of output.split("\n")) {
    const [, key, value] = /^drover:([a-z_]+)=(.*)$/.exec(line.trimEnd()) ?? [];
    if (key === undefined || value === undefined) continue;
    said.set(key, [...(said.get(key) ?? []), value]);
  }
  return said;
}

export function readFacts(said: Said): HostFacts {
  const one = (key: string) => said.get(key)?.[0] ?? "";
  const all = (key: string) => said.get(key) ?? [];
  const bytes = (key: string) => (/^\d+$/.test(one(key)) ? Number(one(key)) * 1024 : null);
  const cgroup = one("cgroup");
  const reaches = one("reaches");
  return {
    os: one("os"),
    arch: one("arch"),
    kernel: one("kernel"),
    hostName: one("hostname"),
    clockMs: Number(one("clock")) * 1_000,
    libc: one("libc"),
    lacks: all("lacks"),
    optFreeBytes: bytes("opt_kib"),
    homeFreeBytes: bytes("home_kib"),
    memoryFreeBytes: bytes("memory_kib"),
    cgroup: cgroup === "1" || cgroup === "2" ? cgroup : "none",
    hasSystemd: one("init") === "systemd",
    ports: new Set(all("listens").map((port) => Number.parseInt(port, 16))),
    reachesServer: reaches === "" ? null : reaches === "yes",
    foreign: all("foreign"),
    hasServer: one("server") === "yes",
    member: one("member") === "" ? null : { name: one("member"), address: one("member_of") },
    agentRuns: one("agent") !== "",
    parts: new Set(all("part")),
    partly: new Map(
      all("partly").flatMap((text) => {
        const [, digest, size] = /^([0-9a-f]{64}) (\d+)$/.exec(text) ?? [];
        return digest === undefined ? [] : [[digest, Number(size)] as const];
      }),
    ),
  };
}
