import { useEffect } from "preact/hooks";
import { ErrorNotice } from "../../parts/notice.tsx";
import { useMachines } from "../../state/machines.ts";
import { AddByHand } from "./add-by-hand.tsx";
import { AddOverSsh } from "./add-over-ssh.tsx";
import { Additions } from "./additions.tsx";

/** How hosts become machines: the command that does it, and what it meets on the way. */
export function AddMachinesPage() {
  const machines = useMachines();
  useEffect(() => {
    document.title = "Add machines – Drover";
  }, []);
  const { value } = machines;
  return (
    <>
      <h1>Add machines</h1>
      <ErrorNotice error={machines.error} />
      {value !== null && value.join === null && (
        <div class="notice warn" role="status">
          <p>Other machines cannot reach this server.</p>
          <p>
            Start it with <code>drover up --link HOST:7374</code>, with an address of its machine that the others reach.
          </p>
        </div>
      )}
      {value !== null && value.join !== null && (
        <>
          <AddOverSsh />
          <Additions machines={value.machines} />
          <AddByHand machines={value.machines} />
        </>
      )}
    </>
  );
}
