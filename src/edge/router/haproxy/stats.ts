/** Counters of one backend or server in one process, since that started. */
export interface Stat {
  readonly backend: string;
  /** `BACKEND` for the whole. */
  readonly server: string;
  /** As in the configuration: `host:port`, or with IPv6 `ipv6@[host]:port`. */
  readonly address: string;
  readonly isHttp: boolean;
  /** Requests and connections on it now. */
  readonly current: number;
  readonly sessions: number;
  /** Answers by class, from 1xx to 5xx. */
  readonly classes: readonly number[];
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** What `show stat` printed. Unknown columns, which newer versions have more of, are passed over. */
export function readStats(text: string): readonly Stat[] {
  const lines = text.split("\n").filter((line) => line !== "");
  const columns = (lines.shift() ?? "").replace(/^# /, "").split(",");
  const at = new Map(columns.map((name, index) => [name, index]));
  return lines.map((line) => {
    const cells = line.split(",");
    const cell = (name: string) => cells[at.get(name) ?? -1] ?? "";
    const count = (name: string) => Number(cell(name)) || 0;
    return {
      backend: cell("pxname"),
      server: cell("svname"),
      address: cell("addr").startsWith("[") ? `ipv6@${cell("addr")}` : cell("addr"),
      isHttp: cell("mode") === "http",
      current: count("scur"),
      sessions: count("stot"),
      classes: [1, 2, 3, 4, 5].map((hundreds) => count(`hrsp_${hundreds}xx`)),
      bytesIn: count("bin"),
      bytesOut: count("bout"),
    };
  });
}

/** Lines of a log behind the one that was its last before; all, if that is not in it any more. */
export function linesAfter(last: string, text: string): readonly string[] {
  const lines = text.split("\n");
  return lines.slice(lines.lastIndexOf(last) + 1);
}
