import { shortInstanceId } from "#model/names.ts";
import type { FleetLook } from "./fleet-look.ts";

/**
 * What is worse on a machine than before it went over to another Drover, in words; empty: nothing. What was wrong before is nobody's fault, and what is not
 * there any more because somebody deployed or scaled meanwhile is none.
 * @param before null: nobody knows, since the upgrade was begun by a command that has ended
 */
export function judgeMachine(machine: string, before: FleetLook | null, now: FleetLook): readonly string[] {
  const faults: string[] = [];
  const own = now.machines.find(({ id }) => id === machine);
  if (own?.linked !== true) faults.push("its agent does not answer");
  // A server from before this was said says nothing of it.
  else if (own.known === false) faults.push("its agent has not told yet what it runs");
  const hadEdge = before === null || before.edges.some((edge) => edge.machine === machine && edge.linked);
  const hasEdge = now.edges.some((edge) => edge.machine === machine && edge.linked && edge.revision !== null);
  if (hadEdge && !hasEdge) faults.push("its edge has no routes yet");

  const was = new Map((before?.instances ?? []).map((one) => [one.id, one]));
  for (const one of now.instances.filter((instance) => instance.machine === machine)) {
    const earlier = was.get(one.id);
    const name = `${one.space}/${shortInstanceId(one.id)}`;
    if (!one.ready && (earlier?.ready ?? true) && one.state !== "draining" && one.state !== "stopping") faults.push(`${name} is not ready`);
    else if (earlier?.ready === true && earlier.pid !== one.pid) faults.push(`${name} was started anew, and not taken over`);
  }
  const processOf = (one: FleetLook["instances"][number]) => `${one.space}/${one.app} ${one.process}`;
  const there = new Set(now.instances.map(processOf));
  for (const gone of new Set(before?.instances.filter((one) => one.machine === machine && one.ready).map(processOf)))
    if (!there.has(gone)) faults.push(`nothing runs of ${gone}`);

  // Without a moment before to compare with, what is wrong elsewhere says nothing about this machine.
  if (before === null) return faults;
  // By what they are, since their words may count the time.
  const known = new Map<string, number>();
  for (const { code } of before.problems) known.set(code, (known.get(code) ?? 0) + 1);
  for (const { code, message } of now.problems) {
    const left = known.get(code) ?? 0;
    if (left === 0) faults.push(message);
    else known.set(code, left - 1);
  }
  return faults;
}
