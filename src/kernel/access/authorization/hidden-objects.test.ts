import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Type } from 'typebox';
import { Namespace } from '#kernel/kinds/builtin/core.ts';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import { kindRegistry } from '#kernel/kinds/registry.ts';
import { atOnce } from '#kernel/base/turns.ts';
import type { Author, Mutation } from '#kernel/store/contract.ts';
import { stampEntry } from '#kernel/store/entry.ts';
import { Memory } from '#kernel/store/memory.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import { decideWith } from '#kernel/store/rules/write.ts';
import { compileRules } from '../rules/rule-table.ts';
import { admission } from './admission.ts';

const Campaign = defineKind({
  group: 'adverts.example',
  version: 'v1',
  kind: 'Campaign',
  plural: 'campaigns',
  scope: 'Namespaced',
  description: 'What an account wants to be shown.',
  spec: Type.Object({ account: Type.String({ maxLength: 1 }), budget: Type.Integer({ default: 1, maximum: 9 }) }),
  selectableFields: { 'spec.account': ['spec', 'account'] },
  validate: ({ budget }) =>
    budget === 9 ? [{ path: ['spec', 'budget'], reason: 'FieldValueInvalid', detail: 'it is too much' }] : [],
});
const KINDS = kindRegistry([Campaign, Namespace]);
const NOW = Temporal.Instant.fromEpochMilliseconds(0);
const VERBS = ['create', 'update', 'patch', 'apply', 'delete', 'deletecollection'] as const;
type Verb = (typeof VERBS)[number];

const author = (user: string): Author => ({
  user,
  requestId: '1',
  caller: { groups: [], address: '', userAgent: '', verb: '' },
});

/** A store with the objects, by their accounts. */
function storeOf(accounts: Readonly<Record<string, string | undefined>>): Memory {
  const memory = new Memory({
    kinds: KINDS.all,
    version: 0,
    floor: 0,
    limits: { changes: 1_000, characters: 1_000_000 },
  });
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'n' }, status: { phase: 'Active' } };
  memory.begin(stampEntry(Namespace, namespace, 1));
  for (const [name, account] of Object.entries(accounts)) {
    if (account === undefined) continue;
    const { apiVersion, kind } = Campaign;
    const metadata = { name, namespace: 'n', uid: `uid of ${name}`, generation: 1 };
    memory.begin(stampEntry(Campaign, { apiVersion, kind, metadata, spec: { account, budget: 1 } }, 1));
  }
  atOnce(memory.appendChanges([]));
  return memory;
}

function operationOf(verb: Verb, name: string, spec: object): Operation {
  const place = { kind: Campaign.id, namespace: 'n', name };
  const { apiVersion, kind } = Campaign;
  const object = { apiVersion, kind, metadata: { name, namespace: 'n' }, spec };
  switch (verb) {
    case 'create':
      return { ...place, verb, object, uid: 'new', fieldValidation: 'Strict' };
    case 'update': {
      const stated = { ...object, metadata: { ...object.metadata, resourceVersion: '1' } };
      return { ...place, verb, part: 'main', object: stated, fieldValidation: 'Strict' };
    }
    case 'patch':
      return { ...place, verb, part: 'main', patchType: 'merge', patch: { spec }, fieldValidation: 'Strict' };
    case 'apply':
      return { ...place, verb, object, uid: 'new' };
    case 'delete':
      return { ...place, verb };
    case 'deletecollection':
      return { ...place, verb: 'delete', isOfMany: true };
    default:
      return verb satisfies never;
  }
}

/** The words of the refusal of a write, or its effect. */
function answerTo(
  memory: Memory,
  rules: readonly { readonly verb: string; readonly account: string | undefined }[],
  operation: Operation,
): string {
  const table = compileRules(
    rules.map(({ verb, account }, index) => ({
      kind: 'ClusterRole',
      namespace: '',
      name: `r${index}`,
      rules: [
        {
          verbs: [verb],
          apiGroups: [Campaign.group],
          resources: [Campaign.plural],
          ...(account === undefined ? {} : { fieldSelector: `spec.account=${account}` }),
        },
      ],
    })),
    rules.map((_rule, index) => ({
      namespace: '',
      name: `b${index}`,
      role: { kind: 'ClusterRole', name: `r${index}` },
      subjects: [{ kind: 'User', name: 'ann' }],
    })),
  );
  const decide = decideWith(
    KINDS,
    admission(() => table, KINDS),
  );
  try {
    return textOf(decide(operation, memory, NOW, author('ann')));
  } catch (error) {
    const { reason, message } = error as { reason?: string; message: string };
    return `${reason ?? 'bug'}: ${message}`;
  }
}

function textOf(mutation: Mutation): string {
  if (mutation.do === 'nothing') return 'stored nothing';
  return `stored ${mutation.do} ${JSON.stringify(mutation.object.spec)}`;
}

const SPEC = fc.record(
  {
    account: fc.constantFrom<unknown>('a', 'b', 'too long', 7),
    budget: fc.constantFrom<unknown>(1, 2, 9, 10, 'many'),
    colour: fc.constant('red'),
  },
  { requiredKeys: ['account'] },
);
const RULES = fc.array(
  fc.record({ verb: fc.constantFrom('*', 'create', 'update', 'patch', 'delete'), account: fc.constantFrom('a', 'b') }),
  { minLength: 1, maxLength: 3 },
);

test('a write to an object that the author may not know of is answered as to one that is not there', () => {
  fc.assert(
    fc.property(fc.constantFrom(...VERBS), SPEC, RULES, (verb, spec, rules) => {
      // An author with rights for one account only; the object is of the other.
      const own = rules[0]?.account ?? 'a';
      const other = own === 'a' ? 'b' : 'a';
      const ofOne = rules.filter(({ account }) => account === own);
      // Without any right to the verb a request never comes this far.
      if (verb !== 'apply' && !ofOne.some((rule) => ['*', verb].includes(rule.verb))) return;
      const hidden = answerTo(storeOf({ x: other }), ofOne, operationOf(verb, 'x', spec));
      const missing = answerTo(storeOf({}), ofOne, operationOf(verb, 'x', spec));
      if (missing.startsWith('stored')) {
        assert.equal(hidden, 'AlreadyExists: campaigns.adverts.example "x" already exists', 'names are taken once');
        assert.equal(JSON.parse(missing.slice('stored put '.length)).account, own);
      } else assert.equal(hidden, missing);
    }),
    { numRuns: 2_000 },
  );
});

test('a write is allowed where rules select the object as it is and as it would be', () => {
  const account = fc.constantFrom('a', 'b', 'c');
  const rules = fc.array(
    fc.record({
      verb: fc.constantFrom('*', ...VERBS),
      account: fc.option(account, { freq: 6, nil: undefined }),
    }),
    { maxLength: 4 },
  );
  fc.assert(
    fc.property(
      fc.constantFrom(...VERBS),
      fc.option(account, { nil: undefined }),
      account,
      rules,
      (verb, before, after, held) => {
        // Without any right a request never comes this far.
        const allowedVerb = verb === 'apply' ? (before === undefined ? 'create' : 'update') : verb;
        const about = held.filter((rule) => ['*', allowedVerb].includes(rule.verb));
        if (about.length === 0) return;
        const selects = (of: string) => about.some((rule) => rule.account === undefined || rule.account === of);
        const isNew = allowedVerb === 'create';
        const isRemoval = verb === 'delete' || verb === 'deletecollection';
        const isThere = before !== undefined;
        const may =
          (isNew || (isThere ? selects(before) : about.some((rule) => rule.account === undefined))) &&
          (isRemoval || selects(after));
        const answer = answerTo(storeOf({ x: before }), held, operationOf(verb, 'x', { account: after, budget: 2 }));
        if (!may) {
          const isSelected = isNew || (isThere && selects(before));
          // Who may read it learns why not. An apply of a hidden object is one that creates it.
          const hidden = verb === 'apply' ? /^(Forbidden|AlreadyExists): / : /^NotFound: /;
          const mayRead = held.some((rule) => rule.verb === '*' && (rule.account ?? before) === before);
          assert.match(answer, isSelected || (isThere && mayRead) ? /^Forbidden: / : hidden);
        } else if (isNew && isThere) assert.match(answer, /^AlreadyExists: /);
        else if (!isNew && !isThere) assert.match(answer, /^NotFound: /);
        else assert.match(answer, /^stored /);
      },
    ),
    { numRuns: 2_000 },
  );
});
