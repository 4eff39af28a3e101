import assert from "node:assert/strict";
import { test } from "node:test";
import { type Right, type Role, rights, roles } from "#model/access.ts";
import type { SpaceName } from "#model/names.ts";
import { allow, type Principal, type Resource, requireRight } from "./access-rule.ts";

const shop = { space: "shop" as SpaceName };
const blog = { space: "blog" as SpaceName };
const holder = (role: Role, spaces: readonly SpaceName[] | null = null): Principal => {
  return { id: "t/1", token: "t/1", name: "t", role, spaces, expiresAtMs: null, session: null };
};

/** Said once more, by hand: what each role may, beside what those before it may. */
const own: Readonly<Record<Role, readonly Right[]>> = {
  viewer: ["read"],
  deployer: ["deploy", "enter"],
  operator: ["mend", "secrets", "operate"],
  owner: ["host", "tokens"],
};

test("each role has its rights and those of the roles before it, and no other", () => {
  for (const [rank, role] of roles.entries()) {
    const has = roles.slice(0, rank + 1).flatMap((one) => own[one]);
    for (const right of Object.keys(rights) as Right[])
      assert.equal(allow(holder(role), right, shop), has.includes(right), `${role} ${right}`);
  }
});

test("a token for some spaces has its rights in these alone, and none in what is of no space", () => {
  const limited = holder("owner", [shop.space]);
  const cases: readonly (readonly [Resource, boolean])[] = [
    [shop, true],
    [blog, false],
    [{ space: "" as SpaceName }, false],
    [{ space: "__proto__" as SpaceName }, false],
    ["installation", false],
    ["each", true],
    ["common", true],
  ];
  for (const [resource, isAllowed] of cases) assert.equal(allow(limited, "read", resource), isAllowed, JSON.stringify(resource));
  assert.equal(allow(holder("owner", []), "read", shop), false, "for no space");
});

test("nobody may nothing, and neither may a role that this version does not know", () => {
  for (const resource of [shop, "installation", "each", "common"] as const) {
    assert.equal(allow(null, "read", resource), false);
    assert.equal(allow(holder("emperor" as Role), "read", resource), false);
    assert.equal(allow(holder("constructor" as Role), "read", resource), false);
  }
});

test("a refusal says who asks, what is lacking and how to get it", () => {
  const refusal = (principal: Principal | null, right: Right, resource: Resource) => {
    try {
      requireRight(principal, right, resource);
    } catch (error) {
      const { code, message, hint } = error as { code: string; message: string; hint: string };
      return [code, message, hint.replace("Use another token: an owner makes it with ", "")];
    }
    return null;
  };
  assert.equal(refusal(holder("operator"), "mend", shop), null);
  assert.equal(refusal(null, "read", shop)?.[0], "UNAUTHENTICATED");
  assert.deepEqual(refusal(holder("deployer"), "mend", shop), [
    "NOT_ALLOWED",
    '"t" is a deployer, and this takes an operator',
    '"drover token create NAME --role operator --space shop".',
  ]);
  assert.deepEqual(refusal(holder("deployer", [blog.space]), "deploy", shop), [
    "NOT_ALLOWED",
    '"t" is a deployer of "blog" alone, and this takes one of space "shop"',
    '"drover token create NAME --role deployer --space shop".',
  ]);
  assert.deepEqual(refusal(holder("viewer", [blog.space]), "operate", "installation"), [
    "NOT_ALLOWED",
    '"t" is a viewer of "blog" alone, and this takes an operator for all spaces',
    '"drover token create NAME --role operator".',
  ]);
  assert.equal(refusal(holder("viewer", [blog.space]), "tokens", "each")?.[1], '"t" is a viewer of "blog" alone, and this takes an owner');
});
