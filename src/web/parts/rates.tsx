import type { Rates } from "../state/route-rates.ts";

/** Requests each second; a dash where none were counted yet. */
export function RequestRate({ rates }: { readonly rates: Rates | undefined }) {
  return <>{rates === undefined ? "–" : rates.requests.toFixed(rates.requests < 10 ? 1 : 0)}</>;
}

/** Share of requests that failed. */
export function ErrorShare({ rates }: { readonly rates: Rates | undefined }) {
  if (rates === undefined || rates.errorShare === null) return <>–</>;
  const percent = rates.errorShare * 100;
  return <span class={percent > 0 ? "bad" : undefined}>{percent.toFixed(percent > 0 && percent < 10 ? 1 : 0)} %</span>;
}

/** As the edges' histogram bounds it. */
export function boundMs(ms: number | null | undefined): string {
  return ms === null || ms === undefined ? "–" : `${ms} ms`;
}
