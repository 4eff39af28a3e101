import { DroverError, hasCode } from "#model/errors.ts";
import { formatTarget, parseTarget } from "#model/ssh-target.ts";
import { openSsh } from "#ssh/client.ts";
import { openHostLog } from "#ssh/host-log.ts";
import { removeMachine } from "#ssh/remove-machine.ts";
import type { Session } from "../command.ts";
import { confirm } from "../prompt.ts";
import { openRecords, type Way } from "./records.ts";
import { passwordSource, readJump, type SshOptions } from "./session.ts";
import { createStages } from "./stages.ts";

export interface RemoveOptions extends SshOptions {
  readonly at?: string;
}

/**
 * `drover machine remove --uninstall`.
 * @param forget makes the server forget the machine
 * @throws {DroverError} USAGE if nobody knows where it is; CONFIRMATION_NEEDED; what removing throws
 */
export async function removeCommand(
  session: Session,
  name: string,
  options: RemoveOptions,
  forget: (signal: AbortSignal) => Promise<unknown>,
): Promise<number> {
  const { clock, home, out, progress, environment, signal } = session;
  const records = await openRecords(home.ssh);
  const way = options.at === undefined ? await records.wayTo(name) : wayAsked(options.at);
  if (way === null) throw new DroverError("USAGE", `where "${name}" is was not noted here`, { hint: "Say it with --at USER@HOST." });
  const target = parseTarget(way.target);
  const place = formatTarget({ ...target, name: null });
  await confirm(session, `this removes the machine "${name}" from this Drover and takes Drover away from ${place}`, name);

  const stages = createStages(session, [target]);
  using log = openHostLog(records.logFolder, target, clock.nowMs);
  await using ssh = await openSsh({
    knownHosts: records.knownHosts,
    isPersonal: true,
    jump: readJump(options.jump) ?? way.jump,
    identity: options.identity ?? way.identity,
    environment,
  });
  const ask = passwordSource(session, options.sudoPasswordFile, stages.quiet);
  const kept = await removeMachine(
    name,
    target,
    {
      connect: ssh.connect,
      password: ask === null ? null : (user) => ask(user, target),
      log: log.write,
      stage: stages.of(target, log.write).stage,
      forget: async (until) => {
        try {
          await forget(until);
        } catch (error) {
          // An earlier attempt came as far as this, and not to its end.
          if (!hasCode(error, "MACHINE_NOT_FOUND")) throw error;
        }
      },
    },
    signal,
  );
  progress.clear();
  await records.noteWay(name, null);
  if (out.json) out.value({ machine: name, host: place, kept });
  else out.line(`removed ${name}; Drover is gone from ${place}${kept === null ? "" : `, but for the volumes in ${kept}`}`);
  return 0;
}

function wayAsked(at: string): Way {
  return { target: formatTarget(parseTarget(at)), labels: {}, jump: null, identity: null };
}
