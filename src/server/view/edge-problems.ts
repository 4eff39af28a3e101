import type { Labels } from "#host/edges-option.ts";
import type { MachineView } from "#model/api-machines.ts";
import { knownCode } from "#model/conditions.ts";
import type { MachineId } from "#model/names.ts";
import type { Reason } from "#model/workload.ts";
import type { RoutesController } from "../controllers/routes-controller.ts";
import type { EdgePeer, PortProblem } from "../fleet/peers.ts";
import type { PeerAnswer } from "./peer-answers.ts";

/** What is wrong with the edges, as they say it themselves, or by their silence. */
export function edgeProblems(answers: readonly PeerAnswer<EdgePeer, readonly PortProblem[]>[]): readonly Reason[] {
  return answers.flatMap((one) =>
    "why" in one
      ? [{ code: "EDGE_SILENT", message: `the edge on ${one.peer.machine} is linked and does not answer: ${one.why}` }]
      : one.answer.map((problem) => edgeProblem(one.peer, problem)),
  );
}

/** Where machines are chosen that take what comes from outside: whether none of them can. */
export function edgePlaceProblems(
  labels: Labels,
  machines: readonly Pick<MachineView, "id">[],
  { isEdge, routes }: { readonly isEdge: (machine: MachineId) => boolean; readonly routes: Pick<RoutesController, "edges"> },
): readonly Reason[] {
  const chosen = machines.map(({ id }) => id as MachineId).filter(isEdge);
  const isLinked = (id: MachineId) => routes.edges.some((edge) => edge.machine === id && edge.isLinked);
  if (Object.keys(labels).length === 0 || chosen.some(isLinked)) return [];
  const label = Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(" ");
  const message =
    chosen.length === 0
      ? `no machine is labelled ${label}, so none takes what comes from outside; "drover machine label NAME ${label}" chooses one`
      : `no edge is linked on a machine that takes what comes from outside: ${chosen.join(", ")}`;
  return [{ code: "EDGE_NOWHERE", message }];
}

export function edgeProblem({ machine }: EdgePeer, { route, port, code, message }: PortProblem): Reason {
  if (code === "WORKERS_CRASHING") return { code, message: `${message} on ${machine}` };
  if (code === "PORT_IN_USE") return { code, message: `the edge on ${machine} cannot listen on port ${port} for ${route}: ${message}` };
  return {
    code: knownCode(code, "EDGE_INCOMPLETE"),
    message: `the edge on ${machine} does not carry ${route} as it is wanted: ${message}`,
  };
}
