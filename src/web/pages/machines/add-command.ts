import { quote } from "../../parts/format.ts";

export interface AddWords {
  /** One a line, as they would be called with `ssh`. */
  readonly hosts: string;
  /** `KEY=VALUE`, with blanks between. */
  readonly labels: string;
  readonly jump: string;
}

/** `[NAME=][USER@]HOST[:PORT]`, as the command takes it. */
const hostForm =
  /^(?:[a-z0-9][a-z0-9-]{0,62}=)?(?:[A-Za-z_][A-Za-z0-9._-]*@)?(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9][A-Za-z0-9._-]*)(?::\d{1,5})?$/;

const wordsOf = (text: string) => text.split(/\s+/).filter((word) => word !== "");

/** The command that makes these hosts machines; and what of it cannot be one, in words. */
export function addCommand({ hosts, labels, jump }: AddWords): { readonly command: string; readonly wrong: string | null } {
  const named = wordsOf(hosts);
  const odd = named.find((host) => !hostForm.test(host));
  const oddLabel = wordsOf(labels).find((label) => !/^[^=]+=.+$/.test(label));
  const twice = named.find((host, i) => named.indexOf(host) !== i);
  const options = [...wordsOf(labels).flatMap((label) => ["--label", label]), ...(jump.trim() === "" ? [] : ["--jump", jump.trim()])];
  return {
    command: ["drover", "machine", "add", ...named, ...options].map(quote).join(" "),
    wrong:
      odd !== undefined
        ? `“${odd}” is no host: write [NAME=][USER@]HOST[:PORT], such as m2=ops@10.0.0.12`
        : twice !== undefined
          ? `“${twice}” is named twice`
          : oddLabel !== undefined
            ? `“${oddLabel}” is no label: write KEY=VALUE`
            : null,
  };
}
