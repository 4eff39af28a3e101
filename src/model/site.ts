/** The label that says where a machine stands, for those that share no network, and for those that do and stand apart. */
const siteLabel = "zone";

/**
 * Where a machine stands, so that two of the same site can give each other what would else come from far away: by its label `zone`, else by its network, the
 * first 24 bits of an IPv4 address and the first 64 of an IPv6 one. A guess, which costs a moment where it is wrong.
 * @param address null: not known
 * @returns null: nobody knows
 */
export function siteOf(address: string | null, labels: Readonly<Record<string, string>>): string | null {
  const label = labels[siteLabel];
  if (label !== undefined) return `${siteLabel}=${label}`;
  return address === null ? null : networkOf(address.replace(/%.*$/, "").toLowerCase());
}

function networkOf(address: string): string | null {
  const [, v4] = /^(?:::ffff:)?(\d{1,3}\.\d{1,3}\.\d{1,3})\.\d{1,3}$/.exec(address) ?? [];
  if (v4 !== undefined) return `${v4}.0/24`;
  // Addresses of one cable are the same everywhere.
  if (!address.includes(":") || address.startsWith("fe80:")) return null;
  const [head = "", tail] = address.split("::");
  const groups = (text: string) => (text === "" ? [] : text.split(":"));
  const [before, after] = [groups(head), groups(tail ?? "")];
  const zeros = Array.from({ length: Math.max(0, 8 - before.length - after.length) }, () => "0");
  const first = [...before, ...zeros, ...after].slice(0, 4).map((group) => Number.parseInt(group, 16).toString(16));
  return `${first.join(":")}::/64`;
}
