import type { ReleaseFailure } from "#model/app.ts";
import type { Clock } from "#model/clock.ts";
import { describeExit } from "#model/exit.ts";
import { type AppId, type AppName, appOfInstance, beforeProcess, parseWorkloadId, type SpaceName, shortInstanceId } from "#model/names.ts";
import { isReady } from "#plan/rollout/counts.ts";
import type { ObservedInstance, Order, Step } from "#plan/rollout/input.ts";
import type { EventLog, NewEvent } from "../events/event-log.ts";
import type { KnownMachine, KnownWorkload } from "../fleet/known.ts";
import type { AppObjects } from "./steps.ts";

/** Within this time, events of one kind about one app become one after the first few: a storm must not push out what explains it. */
const calmMs = 1_000;
/** Told at once, in the order in which they happened: as many as a deploy or a restart of a usual app makes. */
const promptEvents = 10;

interface Storm {
  /** Told at once. */
  told: number;
  /** Held back. */
  count: number;
  last: NewEvent | null;
}

/** Tells the event log what changed and why, in words. */
export class Narrator {
  readonly #events: EventLog;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  readonly #storms = new Map<string, Storm>();

  constructor(events: EventLog, clock: Clock, signal: AbortSignal) {
    this.#events = events;
    this.#clock = clock;
    this.#signal = signal;
  }

  heldBack(id: AppId, words: string): void {
    const [space, name] = id.split("/") as [SpaceName, AppName];
    const message = `${name} ${words}: nothing of it is changed until people decide`;
    this.#events.append({ space, app: name, kind: "restore.ahead", message });
  }

  stepTaken({ app }: AppObjects, step: Step, failure: ReleaseFailure | null): void {
    const { space, name, active } = app.value;
    const tell = (kind: string, message: string, release: number, details: unknown = null) =>
      this.#events.append({ space, app: name, subject: String(release), kind, message, details });
    switch (step.kind) {
      case "begin":
        tell("release.started", `release ${step.rollout.release} is on its way (${step.reason})`, step.rollout.release, {
          strategy: app.value.deploy.strategy,
        });
        for (const number of step.supersede)
          tell("release.superseded", `release ${number} gives way to release ${step.rollout.release}`, number);
        break;
      case "advance":
        tell("release.advanced", `release ${step.rollout.release}: ${step.reason}`, step.rollout.release);
        break;
      case "activate":
        tell("release.active", `release ${step.release} is active: ${step.reason}`, step.release);
        break;
      case "fail":
        tell("release.failed", `release ${step.release} failed: ${step.reason}`, step.release, { lines: failure?.lines ?? [] });
        if (step.fallBackTo !== null)
          tell("release.rolled-back", `back to release ${step.fallBackTo}, because release ${step.release} failed`, step.fallBackTo);
        break;
      case "end":
        tell("release.kept", `release ${active} stays: ${step.reason}`, active ?? 0);
        break;
      case "forget":
        this.#events.append({ space, app: name, kind: "app.destroyed", message: `${name} is destroyed: ${step.reason}` });
        break;
      default:
        step satisfies never;
    }
  }

  ordered({ app }: AppObjects, order: Order, count: number): void {
    const { space, name } = app.value;
    if (order.kind === "remove") {
      const { process, release } = parseWorkloadId(order.id);
      // That the command is done was told when it was.
      if (process === beforeProcess) return;
      const message = `${process} of release ${release} stops: ${order.reason}`;
      this.#calmly({ space, app: name, subject: order.id, kind: "workload.removed", message });
    } else if (order.process === beforeProcess) {
      this.#calmly({
        space,
        app: name,
        subject: String(order.release),
        kind: "release.before",
        message: `the before command of release ${order.release} starts`,
      });
    } else {
      const message = `${order.process} of release ${order.release} is to have ${count === 1 ? "1 instance" : `${count} instances`}: ${order.reason}`;
      this.#calmly({ space, app: name, subject: `${order.process}.${order.release}`, kind: "workload.scaled", message });
    }
  }

  filesKept({ space, name }: { readonly space: string; readonly name: string }, machine: string): void {
    const message = `volumes and logs of ${name} stay on ${machine}: its agent is older than the server and cannot remove them`;
    this.#events.append({ space, app: name, subject: machine, kind: "app.files-kept", message });
  }

  strayRemoved({ id, name }: KnownWorkload): void {
    const message = `${id} stops, because its app does not exist any more`;
    this.#events.append({ space: name.space, app: name.app, subject: id, kind: "workload.removed", message });
  }

  /** A change of one instance; `before` null when it appeared, `after` null when it went. */
  instance(before: ObservedInstance | null, after: ObservedInstance | null): void {
    const instance = after ?? before;
    if (instance === null) return;
    const [space = "", app = ""] = appOfInstance(instance.id).split("/");
    for (const { kind, message } of instanceNews(before, after)) this.#calmly({ space, app, subject: instance.id, kind, message });
  }

  /** @param count instances that it had */
  machineLost(id: string, count: number): void {
    const message = `machine ${id} is lost: what it ran (${count === 1 ? "1 instance" : `${count} instances`}) is started on others`;
    this.#events.append({ subject: id, kind: "machine.lost", message });
  }

  machine({ id, peer, isKnown, isRemote }: KnownMachine): void {
    if (peer === null && isRemote) {
      const message = `the agent of ${id} is not linked; what it runs is started on other machines unless it is back within 5s`;
      this.#events.append({ subject: id, kind: "agent.unlinked", message });
    } else if (peer === null) {
      const message = `the agent of ${id} is not linked; nothing of it is re-created, because it may well run on`;
      this.#events.append({ subject: id, kind: "agent.unlinked", message });
    } else if (isKnown) {
      this.#events.append({ subject: id, kind: "agent.linked", message: `the agent of ${id} is linked and has reported what it runs` });
    }
  }

  edge(machine: string, isLinked: boolean): void {
    const message = isLinked ? `the edge of ${machine} is linked` : `the edge of ${machine} is not linked; it goes on with its last table`;
    this.#events.append({ subject: machine, kind: isLinked ? "edge.linked" : "edge.unlinked", message });
  }

  edgeDoor(machine: string, isPublic: boolean): void {
    const message = isPublic
      ? `the edge of ${machine} takes what comes from outside`
      : `the edge of ${machine} takes nothing new from outside, and finishes what it has`;
    this.#events.append({ subject: machine, kind: isPublic ? "edge.opened" : "edge.closed", message });
  }

  routes(set: number, removed: number, revision: number): void {
    const message = `routing table ${revision}: ${set} routes set, ${removed} removed`;
    this.#calmly({ kind: "routes.changed", message, details: { set, removed, revision } });
  }

  conflict(space: string, app: string, listener: string, other: string): void {
    const message = `${app} does not get ${listener}, which ${other} has`;
    this.#events.append({ space, app, kind: "route.conflict", message });
  }

  /** The first few of a kind about an app at once, more of them within a second as one with their number. */
  #calmly(event: NewEvent): void {
    const key = `${event.space ?? ""}/${event.app ?? ""} ${event.kind}`;
    const storm = this.#storms.get(key);
    if (storm !== undefined && storm.told < promptEvents) {
      storm.told++;
      this.#events.append(event);
      return;
    }
    if (storm !== undefined) {
      storm.count++;
      storm.last = event;
      return;
    }
    this.#events.append(event);
    this.#storms.set(key, { told: 1, count: 0, last: null });
    this.#clock.sleep(calmMs, this.#signal).then(
      () => this.#calm(key),
      () => this.#calm(key), // The server stops: what was held back is told now.
    );
  }

  #calm(key: string): void {
    const storm = this.#storms.get(key);
    this.#storms.delete(key);
    if (storm === undefined || storm.last === null) return;
    if (storm.count === 1) this.#events.append(storm.last);
    else this.#events.append({ ...storm.last, message: `${storm.last.message} (and ${storm.count - 1} more like it within a second)` });
  }
}

function instanceNews(before: ObservedInstance | null, after: ObservedInstance | null): readonly Pick<NewEvent, "kind" | "message">[] {
  const instance = after ?? before;
  if (instance === null) return [];
  const short = shortInstanceId(instance.id);
  // A command is never ready; that it starts and is done is told with its release.
  if (short.startsWith(`${beforeProcess}.`)) return [];
  if (after === null) return [{ kind: "instance.gone", message: `${short} is gone` }];
  const news: Pick<NewEvent, "kind" | "message">[] = [];
  const isDown = after.state === "backoff" || after.restarts > (before?.restarts ?? 0);
  if (after.exit !== null && after.exit.atMs !== before?.exit?.atMs && isDown)
    news.push({
      kind: after.exit.outOfMemory ? "instance.out-of-memory" : "instance.crashed",
      message: `${short} ${describeExit(after.exit)}`,
    });
  const wasReady = before !== null && isReady(before);
  if (isReady(after) && !wasReady) news.push({ kind: "instance.ready", message: `${short} is ready` });
  if (wasReady && after.state === "draining")
    news.push({ kind: "instance.draining", message: `${short} takes no new requests and finishes what it has` });
  if (wasReady && after.state === "running" && !after.ready)
    news.push({ kind: "instance.not-ready", message: `${short} is not ready${after.reason === null ? "" : `: ${after.reason.message}`}` });
  return news;
}
