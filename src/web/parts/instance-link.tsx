import type { InstanceView } from "#model/api.ts";
import { shortInstanceId } from "#model/names.ts";
import { appPath } from "../state/location.ts";
import { Link } from "./link.tsx";

/** An instance by its short name, with the way to what it prints. */
export function InstanceLink({ instance }: { readonly instance: InstanceView }) {
  const name = shortInstanceId(instance.id);
  return (
    <Link to={`${appPath(instance, "logs")}?instance=${encodeURIComponent(name)}`} class="mono">
      {name}
    </Link>
  );
}
