import { formatTarget, type Target } from "#model/ssh-target.ts";
import type { Session } from "../command.ts";

/** What is going on at each host, a line for each that is under way. */
export interface Stages {
  of(target: Target, log: (line: string) => void): { stage(text: string, share?: string): void; note(text: string): void };
  /** @param text how it ended well; null: it failed, which is told in the end */
  ended(target: Target, text: string | null): void;
  /** Nothing is drawn while this is asked at the terminal. */
  quiet<T>(asking: () => Promise<T>): Promise<T>;
}

export function createStages({ progress, terminal }: Pick<Session, "progress" | "terminal">, targets: readonly Target[]): Stages {
  const isLive = terminal.error.isTTY === true;
  const labels = new Map(targets.map((target) => [target, formatTarget({ ...target, name: null })]));
  const width = Math.max(...[...labels.values()].map(({ length }) => length));
  const label = (target: Target) => labels.get(target) ?? target.host;
  const underWay = new Map<Target, string>();
  let done = 0;
  let failed = 0;
  let isQuiet = false;
  const show = () => {
    if (isQuiet) return;
    const lines = [...underWay].map(([target, text]) => `${label(target).padEnd(width)}  ${text}`);
    const sum = `${done} of ${targets.length} done${failed === 0 ? "" : `, ${failed} failed`}`;
    progress.show(targets.length > 1 && isLive ? [sum, ...lines] : lines);
  };
  return {
    of: (target, log) => ({
      stage: (text, share = "") => {
        // Without a terminal each line stays, and how far a copy is would be most of them.
        const line = share === "" || !isLive ? text : `${text}, ${share}`;
        if (underWay.get(target) === line) return;
        if (share === "") log(text);
        underWay.set(target, line);
        show();
      },
      note: (text) => {
        log(text);
        progress.note(`${label(target)} ${text}`);
      },
    }),
    ended: (target, text) => {
      underWay.delete(target);
      if (text === null) failed++;
      else done++;
      progress.note(`${label(target)} ${text ?? "failed"}`);
      show();
    },
    quiet: async (asking) => {
      isQuiet = true;
      progress.clear();
      try {
        return await asking();
      } finally {
        isQuiet = false;
      }
    },
  };
}
