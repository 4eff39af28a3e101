import { DroverError } from "#model/errors.ts";

/** Scheme, host and port under which people reach the API, as links in messages begin. @throws {DroverError} USAGE */
export function parsePublicUrl(text: string): string {
  const url = URL.parse(text);
  if (url !== null && /^https?:$/.test(url.protocol) && url.username === "" && url.pathname === "/" && url.search === "" && url.hash === "")
    return url.origin;
  throw new DroverError("USAGE", `"${text}" is no address of the API`, { hint: "Write it as https://drover.example.com." });
}
