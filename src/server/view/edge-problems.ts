import { knownCode } from "#model/conditions.ts";
import type { Reason } from "#model/workload.ts";
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

export function edgeProblem({ machine }: EdgePeer, { route, port, code, message }: PortProblem): Reason {
  if (code === "WORKERS_CRASHING") return { code, message: `${message} on ${machine}` };
  if (code === "PORT_IN_USE") return { code, message: `the edge on ${machine} cannot listen on port ${port} for ${route}: ${message}` };
  return {
    code: knownCode(code, "EDGE_INCOMPLETE"),
    message: `the edge on ${machine} does not carry ${route} as it is wanted: ${message}`,
  };
}
