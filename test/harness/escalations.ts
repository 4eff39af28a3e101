import assert from "node:assert/strict";
import type { TestDrover } from "./drover.ts";

/** As the API tells of them, as far as tests look. */
export interface Step {
  readonly level: string;
  readonly target: string;
  readonly startedAtMs: number;
  readonly action: { readonly kind: string; readonly name?: string } | null;
  readonly ended: { readonly result: string; readonly atMs: number; readonly output: string } | null;
  readonly verdict: { readonly kind: string; readonly atMs: number } | null;
}
export interface Run {
  readonly id: string;
  readonly target: string;
  readonly state: string;
  readonly level: string | null;
  readonly openedAtMs: number;
  readonly begunAtMs: number | null;
  readonly failed: readonly { readonly check: string }[];
  readonly steps: readonly Step[];
  readonly outcome: { readonly kind: string; readonly atMs: number; readonly reason: string } | null;
}
export interface Instance {
  readonly machine: string;
  readonly ready: boolean;
}
export interface Check {
  readonly id: string;
  readonly verdict: string;
  readonly level: string | null;
  readonly isSilent: boolean;
}

/** What comes may take a ladder of several levels, on a machine that does much else. */
const patienceMs = 180_000;

/** The runs of a space, as they happen. */
export class Escalations {
  readonly #drover: TestDrover;
  readonly #space: string;

  constructor(drover: TestDrover, space: string) {
    this.#drover = drover;
    this.#space = space;
  }

  async #get<T>(path: string): Promise<T> {
    const { status, body } = await this.#drover.api("GET", `/v1/spaces/${this.#space}/${path}`);
    assert.equal(status, 200, body);
    return JSON.parse(body) as T;
  }

  async runs(): Promise<readonly Run[]> {
    return (await this.#get<{ escalations: Run[] }>("escalations")).escalations;
  }

  async checks(): Promise<readonly Check[]> {
    return (await this.#get<{ checks: Check[] }>("checks")).checks;
  }

  async instances(app: string): Promise<readonly Instance[]> {
    return (await this.#get<{ instances: Instance[] }>(`apps/${app}/instances`)).instances;
  }

  /** The latest time that the records know of, by the clock that made them, and a moment. */
  async nowMs(): Promise<number> {
    return Math.max(...(await this.runs()).flatMap(({ openedAtMs, outcome }) => [openedAtMs, outcome?.atMs ?? 0])) + 1;
  }

  /** Waits for a run that fits. */
  async run(what: string, fits: (run: Run) => boolean): Promise<Run> {
    const found: { run: Run | undefined } = { run: undefined };
    await this.until(what, async () => (found.run = (await this.runs()).find(fits)) !== undefined);
    assert.ok(found.run);
    return found.run;
  }

  /**
   * Waits until nothing that asks for a level fails, nothing is going on, and an app has so many ready instances.
   * @param slow checks that say nothing for a while after each action, and are not waited for
   */
  calm(app: string, count: number, slow: readonly string[] = []): Promise<void> {
    return this.until("all is well", async () => {
      const asking = (await this.checks()).filter(({ level, isSilent }) => level !== null && !isSilent);
      const failing = asking.filter(
        ({ id, verdict }) => verdict === "failing" || (verdict !== "ok" && !slow.includes(id.split("@")[0] ?? "")),
      );
      const isCalm = failing.length === 0 && (await this.runs()).every(({ outcome }) => outcome !== null);
      return isCalm && (await this.instances(app)).filter(({ ready }) => ready).length === count;
    });
  }

  /** Says what there was in place of what never came. */
  async until(what: string, check: () => Promise<boolean>): Promise<void> {
    try {
      await this.#drover.until(what, check, patienceMs);
    } catch (error) {
      const seen = await Promise.all(
        [
          ["escalation", "ls"],
          ["check", "ls"],
          ["ladder", "show"],
        ].map((args) => this.#drover.cli([...args, "--space", this.#space])),
      );
      throw new Error(`never came: ${what}\n${seen.map(({ stdout }) => stdout).join("\n")}`, { cause: error });
    }
  }
}

export const done = (target: string) => (run: Run) => run.target === target && run.outcome?.kind === "done";
export const stepsOf = ({ steps }: Run) => steps.map(({ level, target }) => `${level} ${target}`);
export const since = (atMs: number, fits: (run: Run) => boolean) => (run: Run) => run.openedAtMs >= atMs && fits(run);
