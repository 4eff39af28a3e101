import { CopyCli } from "../../parts/cli.tsx";
import { Section } from "../../parts/section.tsx";
import { parameter, setParameters } from "../../state/location.ts";
import { addCommand } from "./add-command.ts";

/** Makes the command that adds hosts over SSH. What is typed is in the address, so that it can be sent to whoever has the keys. */
export function AddOverSsh() {
  const words = { hosts: parameter("hosts"), labels: parameter("labels"), jump: parameter("jump") };
  const { command, wrong } = addCommand(words);
  return (
    <Section title="Over SSH">
      <p class="muted">
        The command runs where your keys are, with your own SSH configuration, agent and hosts on the way. It looks at each host first and
        changes nothing where something is in the way; then it copies Drover there, joins it and starts it. What it meets is shown below
        while it runs. Hosts that Drover is to make machines of by itself, and to mend, are declared as a pool over SSH.
      </p>
      <div class="form">
        <label>
          <span>hosts, one a line</span>
          <textarea
            rows={4}
            spellcheck={false}
            placeholder={"m2=ops@10.0.0.12\nweb-3.example.com\nroot@10.0.0.14:2222"}
            value={words.hosts}
            onInput={(event) => setParameters({ hosts: event.currentTarget.value })}
          />
        </label>
        <label>
          <span>labels of all of them</span>
          <input
            type="text"
            spellcheck={false}
            placeholder="zone=a disk=ssd"
            value={words.labels}
            onInput={(event) => setParameters({ labels: event.currentTarget.value })}
          />
        </label>
        <label>
          <span>through these hosts</span>
          <input
            type="text"
            spellcheck={false}
            placeholder="ops@bastion"
            value={words.jump}
            onInput={(event) => setParameters({ jump: event.currentTarget.value })}
          />
        </label>
      </div>
      {wrong !== null && (
        <p class="bad" role="alert">
          {wrong}
        </p>
      )}
      {wrong === null && words.hosts.trim() !== "" && <CopyCli command={command} isShown />}
    </Section>
  );
}
