import type { RouteTrafficView, RouteView } from "#model/api-routes.ts";
import { formatDuration, formatSize } from "#model/quantities.ts";
import { apiPath } from "../api/client.ts";
import { appReference } from "../arguments.ts";
import type { Noun, Session, Verb } from "../command.ts";
import { escapeText, styled } from "../output/style.ts";
import { table } from "../output/table.ts";
import { count } from "../output/time.ts";

async function listed({ api, common, signal }: Session, app: string | undefined): Promise<readonly RouteView[]> {
  const named = app === undefined ? { space: common.space ?? undefined, app: undefined } : appReference(app, common.space);
  return (await api.call<{ routes: RouteView[] }>("GET", apiPath(["routes"], { ...named }), signal)).routes;
}

const list = {
  summary: "list routes, where they lead and what takes them",
  configure: (command) =>
    command
      .argument("[app]", "only this app's")
      .addHelpText(
        "after",
        "\nREQUESTS and what follows are of all edges, each since it was started. P50 and P99 are upper bounds in milliseconds.",
      ),
  async run(session, { args }) {
    const { out } = session;
    const routes = await listed(session, args[0]);
    if (out.json) {
      out.value({ routes });
      return 0;
    }
    if (routes.length === 0) {
      out.note("there are no routes");
      return 0;
    }
    const rows = routes.map((route) => [
      route.place,
      route.answer === null
        ? `${route.space}/${route.app} ${route.process}`
        : `${route.space}/${route.app} (${route.answer === "maintenance" ? "maintenance" : "redirect"})`,
      releasesOf(route),
      readyOf(route),
      tlsWord(route),
      ...trafficCells(route.traffic),
      noteOf(route),
    ]);
    const head = ["ROUTE", "TO", "RELEASE", "READY", "TLS", "REQUESTS", "ERRORS", "P50", "P99", ""];
    for (const line of table(head, rows, out.columns)) out.line(line);
    return 0;
  },
} satisfies Verb & { summary: string };

const show = {
  summary: "show one route with its instances, rules and counts",
  configure: (command) => command.argument("<route>", 'as "route ls" names it, such as "shop.example.com/api", "tcp 5432" or its id'),
  async run({ api, out, signal }, { args: [name = ""] }) {
    const route = await api.call<RouteView>("GET", apiPath(["routes", name]), signal);
    if (out.json) {
      out.value(route);
      return 0;
    }
    const lines: readonly (readonly [string, string])[] = [
      ["route", route.place],
      ["leads to", `${route.space}/${route.app}, process ${route.process}`],
      ...(route.answer === null ? [] : [["answered by", answerOf(route)] as const]),
      ...(route.url === null ? [] : [["URL", route.url] as const]),
      ["TLS", tlsSentence(route)],
      ["app speaks", upstreamOf(route)],
      ["limits", limitsOf(route)],
      ...(route.stickyMs === null ? [] : [["sticky", `for ${formatDuration(route.stickyMs)}`] as const]),
      ["requests", trafficSentence(route.traffic)],
      ["state", noteOf(route) || styled("green", "in force at every edge")],
    ];
    for (const [label, text] of lines) out.line(`${label.padEnd(12)} ${escapeText(text)}`);
    for (const { release, share, endpoints, traffic } of route.targets) {
      out.line("");
      out.line(`release ${release}, ${percent(share)} of new clients, ${count(endpoints.length, "ready instance")}`);
      for (const { instance, host, port } of endpoints) out.line(`  ${escapeText(instance)} at ${host}:${port}`);
      if (traffic !== null) out.line(`  ${trafficSentence(traffic)}`);
    }
    return 0;
  },
} satisfies Verb & { summary: string };

export default { verbs: { ls: list, show } } satisfies Noun;

function releasesOf({ targets }: RouteView): string {
  if (targets.length === 0) return "-";
  return targets.map(({ release, share }) => (targets.length === 1 ? String(release) : `${release}: ${percent(share)}`)).join(", ");
}

function readyOf({ targets, answer }: RouteView): string {
  const ready = targets.reduce((sum, { endpoints }) => sum + endpoints.length, 0);
  return ready === 0 && answer === null ? styled("yellow", "0") : String(ready);
}

function answerOf({ answer }: RouteView): string {
  return answer === "maintenance" ? "its maintenance page" : `a redirect to ${answer}`;
}

function tlsWord({ tls }: RouteView): string {
  return tls === null ? "-" : `${tls.mode}${tls.clients ? ", clients" : ""}`;
}

const tlsModes = {
  off: "plain HTTP alone",
  both: "plain HTTP and HTTPS",
  redirect: "HTTPS; plain HTTP is sent on to it",
  passthrough: "the app ends it",
} as const;

function tlsSentence({ tls }: RouteView): string {
  if (tls === null) return "none of the edge's";
  const parts = [
    tlsModes[tls.mode],
    ...(tls.certificate === null ? [] : [`certificate ${tls.certificate}`]),
    ...(tls.hstsMs === null ? [] : [`HSTS ${formatDuration(tls.hstsMs)}`]),
    ...(tls.clients ? ["clients need a certificate"] : []),
  ];
  return parts.join(", ");
}

function upstreamOf({ protocol, upstream }: RouteView): string {
  if (protocol !== "http") return protocol.toUpperCase();
  if (upstream.protocol === "https") return upstream.verified ? "HTTPS" : "HTTPS, without its certificate being verified";
  return upstream.protocol === "h2c" ? "HTTP/2" : "HTTP/1.1";
}

function limitsOf({ limits }: RouteView): string {
  const rate = (what: string, value: RouteView["limits"]["rate"]) =>
    value === null ? [] : [`${what} ${value.requests} per ${formatDuration(value.perMs)}, burst ${value.burst}`];
  const size = (what: string, bytes: number | null) => (bytes === null ? [] : [`${what} ${formatSize(bytes)}`]);
  const time = (what: string, ms: number | null) => (ms === null ? [] : [`${what} ${formatDuration(ms)}`]);
  const all = [
    ...size("head", limits.headBytes),
    ...size("body", limits.bodyBytes),
    ...(limits.bodyRate === null ? [] : [`body at ${formatSize(limits.bodyRate)}/s or more`]),
    ...time("request", limits.requestMs),
    ...time("answer", limits.answerMs),
    ...time("idle", limits.idleMs),
    ...rate("rate", limits.rate),
    ...rate("rate per client", limits.ratePerClient),
  ];
  return all.length === 0 ? "the edge's own" : all.join("; ");
}

function trafficCells(traffic: RouteTrafficView | null): readonly string[] {
  if (traffic === null) return ["?", "?", "?", "?"];
  const { requests, errors, p50Ms, p99Ms } = traffic;
  const bound = (ms: number | null) => (ms === null ? "-" : String(ms));
  return [String(requests), errors === 0 ? "0" : styled("red", String(errors)), bound(p50Ms), bound(p99Ms)];
}

function trafficSentence(traffic: RouteTrafficView | null): string {
  if (traffic === null) return "unknown: no edge answers";
  const { requests, errors, bytesIn, bytesOut, p50Ms, p99Ms, classes } = traffic;
  if (requests === 0) return "none since the edge was started";
  const answers = classes.flatMap((number, i) => (number === 0 ? [] : [`${number} × ${i + 1}xx`]));
  const times = p50Ms === null || p99Ms === null ? "" : `; half within ${formatDuration(p50Ms)}, 99% within ${formatDuration(p99Ms)}`;
  const bytes = `${formatSize(bytesIn)} in, ${formatSize(bytesOut)} out`;
  return `${requests} (${answers.join(", ") || "no answers"}), ${count(errors, "error")}${times}; ${bytes}`;
}

function noteOf({ problem, inForce }: RouteView): string {
  if (problem !== null) return styled("red", problem.message);
  return inForce ? "" : styled("yellow", "not in force at every edge yet");
}

function percent(share: number): string {
  return `${Number((share * 100).toFixed(1))}%`;
}
