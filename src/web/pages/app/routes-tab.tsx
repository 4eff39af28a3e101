import type { RouteView } from "#model/api-routes.ts";
import { ShortReason } from "../../parts/condition.tsx";
import { exactSpan } from "../../parts/format.ts";
import { OutsideLink } from "../../parts/link.tsx";
import { ErrorNotice, Nothing } from "../../parts/notice.tsx";
import { boundMs, ErrorShare, RequestRate } from "../../parts/rates.tsx";
import { type Column, Rows } from "../../parts/rows.tsx";
import { Section } from "../../parts/section.tsx";
import { State } from "../../parts/state.tsx";
import { visibleText } from "../../parts/visible-text.ts";
import type { RouteLook } from "../../state/route-rates.ts";
import { useRoutes } from "../../state/routes.ts";
import type { TabProps } from "./app-page.tsx";

/** Where the app is reached, what leads where, and how much takes that way. */
export function RoutesTab({ status: { space, name } }: TabProps) {
  const { value, error } = useRoutes(space, name);
  return (
    <>
      <ErrorNotice error={error} />
      <Section title="Routes" note={String(value?.routes.length ?? "")} command={`drover route ls ${space}/${name}`}>
        {value?.routes.length === 0 && (
          <Nothing>
            It has no routes: nothing reaches it from outside. <code>routes:</code> in its manifest declares some; <code>needs:</code> in
            another app’s opens a service address.
          </Nothing>
        )}
        {value !== null && value.routes.length > 0 && (
          <Rows label="Routes" rows={value.routes} columns={columnsOf(value)} keyOf={({ id }) => id} />
        )}
      </Section>
      {value !== null && value.routes.length > 0 && <Rules routes={value.routes} />}
    </>
  );
}

function columnsOf({ byRoute }: RouteLook): readonly Column<RouteView>[] {
  return [
    {
      name: "route",
      cell: ({ url, place }) => (url === null ? <span class="mono">{visibleText(place)}</span> : <OutsideLink url={url} />),
    },
    { name: "state", cell: (route) => <RouteState route={route} /> },
    { name: "process", isMinor: true, cell: ({ process }) => process },
    { name: "to release", isMinor: true, cell: ({ targets }) => releasesText(targets) },
    { name: "TLS", isMinor: true, cell: ({ tls }) => (tls === null ? "–" : tls.mode) },
    { name: "requests/s", isNumber: true, cell: ({ id }) => <RequestRate rates={byRoute.get(id)} /> },
    { name: "errors", isNumber: true, cell: ({ id }) => <ErrorShare rates={byRoute.get(id)} /> },
    { name: "p50", isNumber: true, isMinor: true, cell: ({ traffic }) => boundMs(traffic?.p50Ms) },
    { name: "p99", isNumber: true, isMinor: true, cell: ({ traffic }) => boundMs(traffic?.p99Ms) },
    { name: "why", isWide: true, isMinor: true, cell: ({ problem }) => <ShortReason reason={problem} /> },
  ];
}

function RouteState({ route: { problem, inForce, answer, targets } }: { readonly route: RouteView }) {
  if (problem !== null) return <State tone="bad" word="not carried" title={problem.message} />;
  if (!inForce) return <State tone="busy" word="on its way" title="Not every edge has confirmed it." />;
  if (answer === "maintenance") return <State tone="warn" word="maintenance" />;
  if (answer !== null) return <State tone="off" word="redirect" title={answer} />;
  return targets.some(({ endpoints }) => endpoints.length > 0) ? (
    <State tone="good" word="in force" />
  ) : (
    <State tone="bad" word="none ready" title="No instance behind it is ready." />
  );
}

function releasesText(targets: RouteView["targets"]): string {
  if (targets.length === 0) return "–";
  return targets
    .map(({ release, share, endpoints }) =>
      targets.length === 1 ? `${release}, ${endpoints.length} ready` : `${release}: ${Math.round(share * 100)} %`,
    )
    .join(", ");
}

/** What the edge sees to on each route, in words; nothing for routes that have no rules of their own. */
function Rules({ routes }: { readonly routes: readonly RouteView[] }) {
  const ruled = routes.map((route) => ({ route, rules: rulesOf(route) })).filter(({ rules }) => rules.length > 0);
  if (ruled.length === 0) return null;
  return (
    <Section title="Rules">
      <dl class="pairs">
        {ruled.map(({ route: { id, place }, rules }) => (
          <div key={id}>
            <dt class="mono">{visibleText(place)}</dt>
            <dd>
              {rules.map((rule) => (
                <span key={rule}>{visibleText(rule)}</span>
              ))}
            </dd>
          </div>
        ))}
      </dl>
    </Section>
  );
}

function rulesOf({ when, limits, tls, stickyMs, upstream, answer }: RouteView): readonly string[] {
  const rate = (what: string, value: RouteView["limits"]["rate"]) =>
    value === null ? [] : [`${what} ${value.requests} in ${exactSpan(value.perMs)}, bursts of ${value.burst}`];
  return [
    ...Object.entries(when.headers).map(([header, value]) => `only with ${header}${value === null ? "" : `: ${value}`}`),
    ...(when.methods.length === 0 ? [] : [`only ${when.methods.join(", ")}`]),
    ...(answer === null || answer === "maintenance" ? [] : [`redirects to ${answer}`]),
    ...(tls?.certificate == null ? [] : [`certificate ${tls.certificate}`]),
    ...(tls?.clients === true ? ["clients need a certificate"] : []),
    ...(stickyMs === null ? [] : [`clients stay for ${exactSpan(stickyMs)}`]),
    ...(upstream.protocol === "http1"
      ? []
      : [`the app speaks ${upstream.protocol}${upstream.protocol === "https" && !upstream.verified ? ", not verified" : ""}`]),
    ...(limits.requestMs === null ? [] : [`request within ${exactSpan(limits.requestMs)}`]),
    ...(limits.answerMs === null ? [] : [`answer within ${exactSpan(limits.answerMs)}`]),
    ...(limits.bodyBytes === null ? [] : [`bodies up to ${limits.bodyBytes} bytes`]),
    ...rate("at most", limits.rate),
    ...rate("each client at most", limits.ratePerClient),
  ];
}
