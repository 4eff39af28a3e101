import type { RouteView } from "#model/api-routes.ts";
import type { Clock } from "#model/clock.ts";
import type { AppName, MachineId, SpaceName } from "#model/names.ts";
import type { RouteTraffic } from "../control-plane.ts";
import type { RoutesController } from "../controllers/routes-controller.ts";
import { edgeProblem } from "./edge-problems.ts";
import { askPeers } from "./peer-answers.ts";
import type { CertificateOf, RouteAddresses } from "./route-address.ts";
import { placeOf, trafficByRoute, viewRoute } from "./route-view.ts";

export interface WhichRoutes {
  readonly space?: SpaceName | undefined;
  /** Only with a space. */
  readonly app?: AppName | undefined;
}

/** Routes that carry traffic, by app and place: put together from the table and what the edges say at this moment. */
export async function viewRoutes(
  {
    routes,
    clock,
    ...known
  }: {
    readonly routes: Pick<RoutesController, "wanted" | "peers" | "edges">;
    readonly clock: Clock;
    readonly addresses: RouteAddresses;
    readonly certificateOf: CertificateOf;
  },
  { space, app }: WhichRoutes,
  signal: AbortSignal,
): Promise<readonly RouteView[]> {
  const answers = await askPeers(
    routes.peers,
    async (peer, until) => {
      const [traffic, problems] = await Promise.all([peer.traffic(until), peer.problems(until)]);
      return { traffic, problems };
    },
    clock,
    signal,
  );
  const answered = answers.flatMap((one) => ("answer" in one ? [one] : []));
  const traffic = trafficByRoute(answered.map(({ answer }) => answer.traffic));
  const problems = new Map(
    answered.flatMap(({ peer, answer }) => answer.problems.map((problem) => [problem.route, edgeProblem(peer, problem)])),
  );
  const linked = routes.edges.filter(({ isLinked }) => isLinked);
  const views: RouteView[] = [];
  for (const { route, holder } of routes.wanted()) {
    if ((space !== undefined && route.space !== space) || (app !== undefined && route.app !== app)) continue;
    const view = viewRoute({
      ...known,
      route,
      holder,
      traffic: answered.length === 0 ? null : (traffic.get(route.id) ?? []),
      problem: problems.get(route.id) ?? null,
      inForce: holder === null && linked.length > 0 && linked.every((edge) => edge.has(route.id)),
    });
    if (view !== null) views.push(view);
  }
  const key = ({ space: ofSpace, app: ofApp, place }: RouteView) => `${ofSpace}/${ofApp} ${place}`;
  return views.sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

export interface Traffic {
  readonly counted: readonly RouteTraffic[];
  /** Of routes that have left the table: whose they are is not known any more, but they may come back. */
  readonly left: readonly Pick<RouteTraffic, "machine" | "counted">[];
  /** Machines whose edges answered. */
  readonly answered: ReadonlySet<MachineId>;
}

/** What each edge counted, route by route. */
export async function viewTraffic(
  { routes, clock }: { readonly routes: Pick<RoutesController, "wanted" | "peers">; readonly clock: Clock },
  signal: AbortSignal,
): Promise<Traffic> {
  const answers = await askPeers(routes.peers, (peer, until) => peer.traffic(until), clock, signal);
  const known = new Map(
    [...routes.wanted()].map(({ route: { id, space, app, process, listener } }) => [id, { space, app, process, place: placeOf(listener) }]),
  );
  const heard = answers.filter((one) => "answer" in one);
  const all = heard.flatMap(({ peer: { machine }, answer }) =>
    answer.map((counted) => ({ machine, route: known.get(counted.route), counted })),
  );
  return {
    answered: new Set(heard.map(({ peer }) => peer.machine)),
    counted: all.flatMap(({ route, ...rest }) => (route === undefined ? [] : { ...rest, route })),
    left: all.filter(({ route }) => route === undefined),
  };
}
