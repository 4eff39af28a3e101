import type { CommandModule } from "./command.ts";

export interface TableEntry {
  readonly group: string;
  readonly summary: string;
  readonly hidden?: true;
  readonly load: () => Promise<{ readonly default: CommandModule }>;
}

const deploy = "Deploy:";
const look = "Look:";
const change = "Change:";
const mend = "Watch and mend:";
const inside = "Go inside:";
const machine = "This machine:";
const other = "Other:";

/** Every command. Only the one that was asked for is loaded, because loading all would take most of the time that a command has. */
export const commandTable: Readonly<Record<string, TableEntry>> = {
  push: { group: deploy, summary: "build a folder and run it as an app", load: () => import("./commands/push.ts") },
  init: { group: deploy, summary: "write a drover.yaml for a folder", load: () => import("./commands/init.ts") },
  plan: { group: deploy, summary: "show what apply would change", load: () => import("./commands/plan.ts") },
  apply: { group: deploy, summary: "make manifests true and wait until they are", load: () => import("./commands/apply.ts") },
  releases: { group: deploy, summary: "list the releases of an app", load: () => import("./commands/releases.ts") },
  rollback: { group: deploy, summary: "go back to an earlier release", load: () => import("./commands/rollback.ts") },

  apps: { group: look, summary: "list apps and how they are", load: () => import("./commands/apps.ts") },
  ps: { group: look, summary: "list running instances", load: () => import("./commands/ps.ts") },
  logs: { group: look, summary: "show, follow and search the output of instances", load: () => import("./commands/logs.ts") },
  search: { group: look, summary: "list, save and remove searches of logs", load: () => import("./commands/search.ts") },
  shipping: { group: look, summary: "show where logs are sent, and how far behind", load: () => import("./commands/shipping.ts") },
  top: { group: look, summary: "watch what machines and apps use and serve", load: () => import("./commands/top.ts") },
  metrics: { group: look, summary: "list metrics and draw them over time", load: () => import("./commands/metrics.ts") },
  why: { group: look, summary: "say why an app is not running or not ready", load: () => import("./commands/why.ts") },
  health: { group: look, summary: "show when an app or a machine was well, and when not", load: () => import("./commands/health.ts") },
  versions: { group: look, summary: "show which version of what runs where", load: () => import("./commands/versions.ts") },
  timeline: { group: look, summary: "lay what happened side by side", load: () => import("./commands/timeline.ts") },
  feedback: { group: look, summary: "show how fast and how safely apps change", load: () => import("./commands/feedback.ts") },
  events: { group: look, summary: "show or follow what happened and why", load: () => import("./commands/events.ts") },
  route: { group: look, summary: "list routes, where they lead and what takes them", load: () => import("./commands/route.ts") },
  ui: { group: look, summary: "open the web UI in a browser", load: () => import("./commands/ui.ts") },
  open: { group: look, summary: "open an app's address", load: () => import("./commands/open.ts") },

  scale: { group: change, summary: "set how many instances run", load: () => import("./commands/scale.ts") },
  env: { group: change, summary: "list, set and unset an app's environment", load: () => import("./commands/env.ts") },
  secret: { group: change, summary: "list, set and remove a space's secrets", load: () => import("./commands/secret.ts") },
  certificate: {
    group: change,
    summary: "list, add, renew and order certificates",
    load: () => import("./commands/certificate.ts"),
  },
  rebalance: { group: change, summary: "move instances so that machines have alike", load: () => import("./commands/rebalance.ts") },
  restart: { group: change, summary: "replace an app's instances one after another", load: () => import("./commands/restart.ts") },
  stop: { group: change, summary: "stop an app and keep it", load: () => import("./commands/stop.ts") },
  maintenance: {
    group: change,
    summary: "put a page in front of an app, or take it away",
    load: () => import("./commands/maintenance.ts"),
  },
  start: { group: change, summary: "start a stopped app", load: () => import("./commands/start.ts") },
  destroy: { group: change, summary: "remove an app for good", load: () => import("./commands/destroy.ts") },
  space: { group: change, summary: "list and destroy spaces", load: () => import("./commands/space.ts") },
  kv: { group: change, summary: "read, write and watch a space's key-value store", load: () => import("./commands/kv.ts") },

  check: { group: mend, summary: "list checks, their history, and make them now", load: () => import("./commands/check.ts") },
  pool: { group: mend, summary: "list pools of machines, and show how each machine is", load: () => import("./commands/pool.ts") },
  ladder: { group: mend, summary: "show, simulate, pause and resume a space's ladder", load: () => import("./commands/ladder.ts") },
  escalation: { group: mend, summary: "follow, approve, acknowledge and stop escalations", load: () => import("./commands/escalation.ts") },
  explain: {
    group: mend,
    summary: "say what would happen if a check failed now, or what a code means",
    load: () => import("./commands/explain.ts"),
  },

  exec: { group: inside, summary: "run a command in a running instance", load: () => import("./commands/exec.ts") },
  run: { group: inside, summary: "run a command in fresh surroundings of an app", load: () => import("./commands/run.ts") },

  up: { group: machine, summary: "start Drover here, in the foreground", load: () => import("./commands/up.ts") },
  down: { group: machine, summary: "stop the Drover that runs here, and all its apps", load: () => import("./commands/down.ts") },
  status: { group: machine, summary: "show how Drover itself is", load: () => import("./commands/status.ts") },
  edge: { group: machine, summary: "restart the edge without a failed request", load: () => import("./commands/edge.ts") },
  machine: { group: machine, summary: "list, join, drain and remove machines", load: () => import("./commands/machine.ts") },
  upgrade: {
    group: machine,
    summary: "have all machines go over to this version of Drover, one after the other, and back",
    load: () => import("./commands/upgrade.ts"),
  },

  restore: {
    group: machine,
    summary: "decide what a restored backup does not know",
    load: () => import("./commands/restore.ts"),
  },

  token: { group: other, summary: "make, list and revoke tokens: who may do what", load: () => import("./commands/token.ts") },
  session: { group: other, summary: "list and end sessions of the web UI", load: () => import("./commands/session.ts") },
  completion: { group: other, summary: "print a completion script for a shell", load: () => import("./commands/completion.ts") },
  version: { group: other, summary: "print the versions of the command and the server", load: () => import("./commands/version.ts") },
  __complete: { group: other, summary: "complete a command line", hidden: true, load: () => import("./commands/complete.ts") },
};
