import assert from "node:assert/strict";
import { test } from "node:test";
import { connectionFailure, destinationKey, pinnedKeys } from "./ssh-words.ts";

const noise = "OpenSSH_9.2p1 Debian-2, OpenSSL 3.0.19\ndebug1: Connecting to 10.0.0.12 [10.0.0.12] port 22.\n";

/** What OpenSSH 9.2 says, and what is told of it. */
const failures: Readonly<Record<string, readonly [string, string, RegExp]>> = {
  "a dead host": ["ssh: connect to host 10.0.0.12 port 22: No route to host", "SSH_FAILED", /does not answer/],
  "a slow host": ["ssh: connect to host 10.0.0.12 port 22: Connection timed out", "SSH_FAILED", /does not answer/],
  "no SSH server": ["ssh: connect to host 10.0.0.12 port 22: Connection refused", "SSH_FAILED", /nothing listens/],
  "no SSH server behind a jump host": [
    "channel 0: open failed: connect failed: Connection refused\nstdio forwarding failed\nConnection closed by UNKNOWN port 65535",
    "SSH_FAILED",
    /nothing listens/,
  ],
  "an unknown name": ["ssh: Could not resolve hostname web-9: Name or service not known", "SSH_FAILED", /no host of that name/],
  "no key that it takes": ["ops@10.0.0.12: Permission denied (publickey).", "SSH_FAILED", /none of your keys/],
  "too many logins": ["kex_exchange_identification: Connection closed by remote host", "SSH_FAILED", /before anybody has logged in/],
  "words nobody knows": ["Bad configuration option: foo", "SSH_FAILED", /ssh says: Bad configuration option: foo/],
  "no words": ["", "SSH_FAILED", /without a word/],
};

for (const [what, [said, code, words]] of Object.entries(failures))
  test(`${what} is told in words, with what to do`, () => {
    const failure = connectionFailure(noise + said, "ops@10.0.0.12", "/home/ops/known_hosts");
    assert.equal(failure.code, code);
    assert.match(failure.message, words);
    assert.notEqual(failure.hint, "");
  });

test("a changed key is told with the one that is shown and the line that forgets the old one", () => {
  const said = `${noise}debug1: Server host key: ssh-ed25519 SHA256:jump
debug1: Server host key: ssh-ed25519 SHA256:new
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
Offending ED25519 key in /home/ops/known_hosts:3
Host key for [10.0.0.12]:2222 has changed and you have requested strict checking.
Host key verification failed.`;
  const failure = connectionFailure(said, "ops@10.0.0.12:2222", "/home/ops/known_hosts");
  assert.equal(failure.code, "HOST_KEY_CHANGED");
  assert.match(failure.message, /ssh-ed25519 SHA256:new/);
  assert.match(failure.hint, /ssh-keygen -R "\[10\.0\.0\.12\]:2222" -f "\/home\/ops\/known_hosts"/);
  assert.equal(destinationKey(said), "ssh-ed25519 SHA256:new");
});

test("of the keys on the way, those that are new are told with their hosts", () => {
  const said = `${noise}debug1: Server host key: ssh-ed25519 SHA256:jump
Warning: Permanently added '10.0.0.1' (ED25519) to the list of known hosts.
debug1: Server host key: ssh-rsa SHA256:known
debug1: Authentication succeeded (publickey).`;
  assert.deepEqual(pinnedKeys(said), [{ host: "10.0.0.1", key: "ssh-ed25519 SHA256:jump" }]);
  assert.deepEqual(pinnedKeys(noise), []);
});
