/** What a build needs of its surroundings to reach registries through proxies. Everything else of the agent's environment stays unknown to it. */
const passed =
  /^(https?_proxy|no_proxy|all_proxy|npm_config_(registry|cafile|noproxy)|node_extra_ca_certs|ssl_cert_(file|dir)|pip_(index_url|extra_index_url|trusted_host|cert)|requests_ca_bundle|uv_index_url|goproxy|gonosumdb|gonosumcheck|gosumdb|goprivate|goinsecure)$/i;

/** Where programs lie that every user may run. Root's own PATH often leads through folders that other users cannot enter. */
const systemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/go/bin";

/** The environment of builds, taken from the agent's own. */
export function buildEnvironment(own: Readonly<Record<string, string | undefined>>, isRoot: boolean): Record<string, string> {
  const environment: Record<string, string> = { PATH: isRoot ? systemPath : (own["PATH"] ?? systemPath) };
  for (const [name, value] of Object.entries(own)) if (value !== undefined && passed.test(name)) environment[name] = value;
  return environment;
}
