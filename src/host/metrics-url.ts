import { DroverError } from "#model/errors.ts";

/** Where the HTTP API of a Prometheus is, without the `/api/v1` at its end. @throws {DroverError} USAGE */
export function parseMetricsUrl(text: string): string {
  const url = URL.parse(text);
  if (url !== null && /^https?:$/.test(url.protocol) && url.username === "" && url.search === "" && url.hash === "")
    return url.href.replace(/\/$/, "");
  throw new DroverError("USAGE", `"${text}" is no address of a Prometheus`, { hint: "Write it as http://10.0.0.5:8428." });
}
