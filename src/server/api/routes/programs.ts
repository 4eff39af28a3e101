import { z } from "zod";
import { neighbour, neighbourQuestion, programsOrder, programsProgress, programsState } from "#model/api-programs.ts";
import { DroverError } from "#model/errors.ts";
import type { MachineId } from "#model/names.ts";
import { mostPartBytes, mostParts, type NeighbourQuestion, partPattern } from "#model/programs.ts";
import { findNeighbour } from "../../programs/neighbours.ts";
import { upgradeMachine } from "../../programs/upgrade-machine.ts";
import { json, type Route, route } from "../route.ts";
import type { Services } from "../services.ts";

const machineName = z.object({ machine: z.string() });
const part = z.string().regex(partPattern);

/** Which Drover machines run, and going over to another. */
export function programsRoutes({ controlPlane, programs, events, log }: Services): readonly Route[] {
  const machineOf = (params: Readonly<Record<string, string>>) => params["machine"] as MachineId;
  const access = { right: "host", of: "installation" } as const;
  const near = (question: NeighbourQuestion, signal: AbortSignal) =>
    findNeighbour(controlPlane.machines(), controlPlane.agentOn, question, log, signal);
  return [
    route({
      method: "POST",
      path: "/v1/programs/missing",
      id: "missingPrograms",
      summary: "Which of these parts of a version of Drover the server does not have.",
      access,
      body: json(z.strictObject({ parts: z.array(part).max(mostParts) })),
      answer: { kind: "json", schema: z.object({ missing: z.array(z.string()) }) },
      handle: async (_call, _query, { parts }) => ({ json: { missing: programs.missing(parts) } }),
    }),
    route({
      method: "PUT",
      path: "/v1/programs/:digest",
      id: "putProgramsPart",
      summary: "Takes a packed part of a version of Drover, by the SHA-256 of its bytes in hex; kept for a day after its last use.",
      access,
      body: { kind: "stream", maxBytes: mostPartBytes },
      answer: { kind: "json", schema: z.object({ digest: z.string() }) },
      handle: async ({ params, signal }, _query, content) => {
        const digest = part.safeParse(params["digest"]);
        if (!digest.success) throw new DroverError("REQUEST_INVALID", "the path names no digest of a part");
        await programs.put(digest.data, content, signal);
        return { json: { digest: digest.data } };
      },
    }),
    route({
      method: "POST",
      path: "/v1/programs/neighbours",
      id: "findProgramsNeighbour",
      summary:
        "Has a machine that stands where another host does, by its label `zone` or its network, give that one parts of Drover, at a port that closes a minute after the last use.",
      access: { right: "operate", of: "installation" },
      body: json(neighbourQuestion),
      answer: { kind: "json", schema: z.object({ neighbour: neighbour.nullable() }) },
      handle: async ({ signal }, _query, question) => ({ json: { neighbour: await near(question, signal) } }),
    }),
    route({
      method: "GET",
      path: "/v1/machines/:machine/programs",
      id: "getMachinePrograms",
      summary: "Which Drover a machine runs, whether that is on trial, and what it can go back to.",
      access: { right: "operate", of: "installation" },
      answer: { kind: "json", schema: programsState },
      handle: async ({ params, signal }) => ({ json: await controlPlane.agentOn(machineOf(params)).programs(signal) }),
    }),
    route({
      method: "POST",
      path: "/v1/machines/:machine/programs",
      id: "upgradeMachine",
      summary:
        "Copies what a machine lacks of a version of Drover, and has it go over to that, with its edge and its server, on trial: unless told to keep it within two minutes, it goes back. What runs there goes on.",
      access,
      body: json(programsOrder),
      answer: { kind: "lines", schema: programsProgress },
      handle: async ({ params, caller, signal }, _query, order) => {
        const agent = controlPlane.agentOn(machineOf(params));
        // Said before it is done: of the server's own machine, this server ends with it.
        events.append({
          kind: "machine.upgrading",
          subject: agent.machine,
          by: caller.name,
          message: `${agent.machine} is to go over to version ${order.id} of Drover`,
        });
        const machine = controlPlane.machines().find(({ id }) => id === agent.machine);
        const { address = null, labels = {} } = machine ?? {};
        const neighbourOf = (parts: readonly string[]) => near({ address, labels, parts, except: [agent.machine] }, signal);
        return { lines: upgradeMachine(agent, order, programs, log, neighbourOf, signal) };
      },
    }),
    route({
      method: "POST",
      path: "/v1/machines/:machine/programs/keep",
      id: "keepMachinePrograms",
      summary: "Ends the trial of the version that a machine went over to. The version before stays there to go back to; older ones go.",
      access,
      answer: { kind: "json", schema: machineName },
      handle: async ({ params, caller, signal }) => {
        const agent = controlPlane.agentOn(machineOf(params));
        await agent.keepPrograms(signal);
        const { id, release } = await agent.programs(signal);
        const name = id === null ? `${release}, which was installed by hand` : `${release} (${id})`;
        events.append({
          kind: "machine.upgraded",
          subject: agent.machine,
          by: caller.name,
          message: `${agent.machine} stays with Drover ${name}`,
        });
        return { json: { machine: agent.machine } };
      },
    }),
    route({
      method: "POST",
      path: "/v1/machines/:machine/programs/back",
      id: "downgradeMachine",
      summary: "Has a machine go back to the version of Drover that it ran before, on trial as above.",
      access,
      answer: { kind: "json", schema: machineName },
      handle: async ({ params, caller, signal }) => {
        const agent = controlPlane.agentOn(machineOf(params));
        events.append({
          kind: "machine.upgrading",
          subject: agent.machine,
          by: caller.name,
          message: `${agent.machine} is to go back to the Drover that it ran before`,
        });
        await agent.programsBack(signal);
        return { json: { machine: agent.machine } };
      },
    }),
  ];
}
