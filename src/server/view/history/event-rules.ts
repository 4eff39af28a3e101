import type { Lane, TimelineSpan } from "#model/api-history.ts";
import type { DroverEvent } from "#model/app.ts";

/** What an event means to a timeline: something begins, goes on, ends, or happens in a moment. */
export interface EventRule {
  readonly lane: Lane;
  readonly does: "begins" | "goes on" | "ends" | "happens";
  /** What it is about, within its space and app; the same for the beginning and the end of one thing. */
  readonly about: (event: DroverEvent) => string;
  /** Of what ends or happens. Default `ok`. */
  readonly outcome?: Exclude<TimelineSpan["outcome"], "open">;
  readonly link: (event: DroverEvent) => TimelineSpan["link"];
}

type Link = NonNullable<TimelineSpan["link"]>["kind"];

const bySubject = (kind: Link) => (event: DroverEvent) => (event.subject === null ? null : { kind, name: event.subject });
const toApp = ({ app }: DroverEvent) => (app === null ? null : ({ kind: "app", name: app } as const));
const subject = (event: DroverEvent) => event.subject ?? "";

type Rules = Readonly<Record<string, EventRule>>;

const release = (does: EventRule["does"], outcome?: EventRule["outcome"]): EventRule => ({
  lane: "deploys",
  does,
  about: (event) => `release ${subject(event)}`,
  ...(outcome === undefined ? {} : { outcome }),
  link: bySubject("release"),
});
const health = (does: EventRule["does"], outcome?: EventRule["outcome"]): EventRule => ({
  lane: "health",
  does,
  about: () => "health",
  ...(outcome === undefined ? {} : { outcome }),
  link: toApp,
});
const check = (does: EventRule["does"], outcome: EventRule["outcome"]): EventRule => ({
  lane: "checks",
  does,
  about: subject,
  ...(outcome === undefined ? {} : { outcome }),
  link: bySubject("check"),
});
const escalation = (does: EventRule["does"], outcome?: EventRule["outcome"]): EventRule => ({
  lane: "escalations",
  does,
  about: subject,
  ...(outcome === undefined ? {} : { outcome }),
  link: bySubject("escalation"),
});
const machine = (about: string, does: EventRule["does"], outcome?: EventRule["outcome"]): EventRule => ({
  lane: "machines",
  does,
  about: (event) => `${about} ${subject(event)}`,
  ...(outcome === undefined ? {} : { outcome }),
  link: bySubject("machine"),
});
const edge = (about: (event: DroverEvent) => string, does: EventRule["does"], link: Link, outcome?: EventRule["outcome"]): EventRule => ({
  lane: "edges",
  does,
  about,
  ...(outcome === undefined ? {} : { outcome }),
  link: bySubject(link),
});

const deploys: Rules = {
  "app.created": release("begins"),
  "release.created": release("begins"),
  "env.changed": release("begins"),
  "release.rollback": release("begins"),
  "app.redeployed": release("begins"),
  "release.started": release("begins"),
  "release.before": release("goes on"),
  "release.advanced": release("goes on"),
  "release.active": release("ends"),
  "release.failed": release("ends", "failed"),
  "release.superseded": release("ends", "replaced"),
  "release.kept": release("ends", "stopped"),
};

const healths: Rules = {
  "app.failing": health("begins"),
  "app.degraded": health("begins"),
  "app.well": health("ends"),
  "app.idle": health("ends", "stopped"),
  "instance.crashed": { ...health("happens", "failed"), about: subject },
  "instance.out-of-memory": { ...health("happens", "failed"), about: subject },
};

const checks: Rules = {
  "check.failing": check("begins", undefined),
  "check.passing": check("ends", "ok"),
  "check.impossible": check("happens", "failed"),
};

const escalations: Rules = {
  "escalation.recovered": escalation("ends"),
  "escalation.done": escalation("ends"),
  "escalation.wider": escalation("ends", "replaced"),
  "escalation.absorbed": escalation("ends", "replaced"),
  "escalation.held": escalation("ends", "stopped"),
  "escalation.stopped": escalation("ends", "stopped"),
  "escalation.dropped": escalation("ends", "stopped"),
  "escalation.people": escalation("ends", "failed"),
  "escalation.acknowledged": escalation("goes on"),
  "escalation.approved": escalation("goes on"),
  "escalation.refused": escalation("goes on"),
  "tell.dead": escalation("happens", "failed"),
};

const machines: Rules = {
  "agent.unlinked": machine("link of", "begins"),
  "machine.lost": machine("link of", "goes on"),
  "agent.linked": machine("link of", "ends"),
  "machine.joined": machine("joining of", "happens"),
  "machine.removed": machine("link of", "ends", "stopped"),
  "machine.cordoned": machine("cordon of", "begins"),
  "machine.uncordoned": machine("cordon of", "ends"),
  "machine.draining": machine("drain of", "begins"),
  "machine.drain-ended": machine("drain of", "ends"),
  "machine.labelled": machine("labels of", "happens"),
  "server.started": machine("server", "happens"),
};

const problemOf = ({ subject: on, details }: DroverEvent) => {
  const { code, route } = (details ?? {}) as { readonly code?: unknown; readonly route?: unknown };
  return `problem of ${on} ${code} ${route}`;
};

const edges: Rules = {
  "edge.unlinked": edge((event) => `link of ${subject(event)}`, "begins", "machine"),
  "edge.linked": edge((event) => `link of ${subject(event)}`, "ends", "machine"),
  "edge.opened": edge(subject, "happens", "machine"),
  "edge.closed": edge(subject, "happens", "machine"),
  "edge.problem": edge(problemOf, "begins", "machine"),
  "edge.recovered": edge(problemOf, "ends", "machine"),
  "certificate.expiring": edge(subject, "begins", "certificate"),
  "certificate.expired": edge(subject, "goes on", "certificate"),
  "certificate.order-failed": edge(subject, "happens", "certificate", "failed"),
  "certificate.ordered": edge(subject, "ends", "certificate"),
  "certificate.added": edge(subject, "ends", "certificate"),
  "certificate.removed": edge(subject, "ends", "certificate", "stopped"),
};

const scaling: Rules = {
  "app.scaled": { lane: "scaling", does: "happens", about: (event) => event.app ?? "", link: toApp },
  "app.scale-unknown": { lane: "scaling", does: "happens", outcome: "failed", about: (event) => event.app ?? "", link: toApp },
};

/** What is of no space. */
export const installationRules: Rules = { ...machines, ...edges };

/** What is of a space, and mostly of an app. */
export const spaceRules: Rules = { ...deploys, ...healths, ...checks, ...escalations, ...scaling };

/** Null for what a timeline does not show in a lane of its own. A run of an escalation begins with whatever is told of it first. */
export function ruleOf({ kind }: Pick<DroverEvent, "kind">): EventRule | null {
  if (Object.hasOwn(spaceRules, kind)) return spaceRules[kind] ?? null;
  if (Object.hasOwn(installationRules, kind)) return installationRules[kind] ?? null;
  return kind.startsWith("escalation.") ? escalation("begins") : null;
}
