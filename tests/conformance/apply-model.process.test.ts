import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startWorld, type Answer, type Call } from '#tests/support/backline.ts';
import { amount } from '#tests/support/amount.ts';
import { seededChance } from '#tests/support/chance.ts';
import { startOther } from '#tests/support/start-other.ts';

const STEPS = amount({ usual: 150, long: 5_000 });
/** How often the writer stops, and the other one takes over. */
const RESTARTS = 1;
const OBJECTS = ['one', 'two'] as const;
const KEYS = ['a', 'b', 'c', 'd'] as const;
const VALUES = ['1', '2', '3'] as const;
const APPLIERS = ['helm', 'flux', 'ops'] as const;
const UPDATERS = ['console', 'script'] as const;
const PATH = '/apis/model.example.com/v1/namespaces/default/boards';

/**
 * The naive oracle: a value and its owners for each key. An owner is `apply:NAME` or `update:NAME`, as an entry of managedFields is
 * named by its operation and manager.
 */
class Board {
  readonly cells = new Map<string, { value: string; owners: Set<string> }>();

  /** Keys of the conflicts of an apply; without any, or by force, it is done. */
  apply(manager: string, wanted: ReadonlyMap<string, string>, isForced: boolean): readonly string[] {
    const me = `apply:${manager}`;
    const conflicts = [...wanted].flatMap(([key, value]) => {
      const cell = this.cells.get(key);
      return cell === undefined || cell.value === value || [...cell.owners].every((one) => one === me) ? [] : [key];
    });
    if (conflicts.length > 0 && !isForced) return conflicts.sort();
    for (const [key, cell] of this.cells) {
      if (wanted.has(key) || !cell.owners.delete(me)) continue;
      if (cell.owners.size === 0) this.cells.delete(key);
    }
    for (const [key, value] of wanted) {
      const cell = this.cells.get(key);
      if (cell?.value === value) cell.owners.add(me);
      else this.cells.set(key, { value, owners: new Set([me]) });
    }
    return [];
  }

  /** Sets and removes keys by a merge patch: the author owns what changed, and nobody else does. */
  update(manager: string, changes: ReadonlyMap<string, string | null>): void {
    for (const [key, value] of changes) {
      if (value === null) this.cells.delete(key);
      else if (this.cells.get(key)?.value !== value)
        this.cells.set(key, { value, owners: new Set([`update:${manager}`]) });
    }
  }

  get view(): object {
    const cells = [...this.cells].sort(([a], [b]) => (a < b ? -1 : 1));
    return cells.map(([key, { value, owners }]) => [key, value, [...owners].sort()]);
  }
}

test('random applies, updates, retries and definition changes on two servers that restart keep the owners of a naive oracle', async (t) => {
  const world = await startWorld(t, { roles: ['api'] });
  const other = await startOther(t, world);
  const { between } = seededChance(t);
  const chance = (): number => between(0, 999_999) / 1_000_000;
  const pick = <One>(of: readonly One[]): One => of[Math.floor(chance() * of.length)] ?? (of[0] as One);
  let isSecond = false;
  await define(world.call, isSecond);
  const boards = new Map<string, Board>();
  let done = 0;
  let conflicts = 0;

  for (let step = 0; step < STEPS; step += 1) {
    if (step % Math.ceil(STEPS / (RESTARTS + 1)) === Math.ceil(STEPS / (RESTARTS + 1)) - 1) await world.restart();
    const call = pick([world.call, other.call]);
    const name = pick(OBJECTS);
    const kind = chance();
    if (kind < 0.02) {
      // Both versions have the same fields: owners stay, whichever is asked for.
      isSecond = !isSecond;
      await define(call, isSecond);
    } else if (kind < 0.04) {
      const deleted = await call('DELETE', `${PATH}/${name}`);
      assert.equal(deleted.status, boards.delete(name) ? 200 : 404, deleted.text);
    } else if (kind < 0.7) await applyOnce(call, name);
    else await updateOnce(call, name);
    await compare(pick([world.call, other.call]), name);
  }
  t.diagnostic(`${done} writes, ${conflicts} conflicts`);

  async function applyOnce(call: Call, name: string): Promise<void> {
    const manager = pick(APPLIERS);
    const isForced = chance() < 0.3;
    const wanted = new Map(KEYS.filter(() => chance() < 0.5).map((key) => [key, pick(VALUES)]));
    const body = board(name, Object.fromEntries(wanted));
    const path = `${PATH}/${name}?fieldManager=${manager}${isForced ? '&force=true' : ''}`;
    const send = (): Promise<Answer> =>
      call('PATCH', path, { body, headers: { 'content-type': 'application/apply-patch+yaml' } });
    const isNew = !boards.has(name);
    const oracle = boards.get(name) ?? new Board();
    const expected = oracle.apply(manager, wanted, isForced);
    const answer = await send();
    if (expected.length > 0) {
      conflicts += 1;
      assert.equal(answer.status, 409, answer.text);
      const causes = answer.json.details.causes as readonly { readonly field: string }[];
      assert.deepEqual(
        [...new Set(causes.map(({ field }) => field))].sort(),
        expected.map((key) => `.spec.cells.${key}`),
      );
      return;
    }
    assert.equal(answer.status, isNew ? 201 : 200, answer.text);
    boards.set(name, oracle);
    done += 1;
    if (chance() > 0.2) return;
    // The answer was lost, and the request is sent again: it writes nothing.
    const again = await send();
    assert.equal(again.status, 200, again.text);
    assert.equal(again.json.metadata.resourceVersion, answer.json.metadata.resourceVersion);
  }

  async function updateOnce(call: Call, name: string): Promise<void> {
    const manager = pick(UPDATERS);
    const changes = new Map(KEYS.filter(() => chance() < 0.4).map((key) => [key, pick([...VALUES, null])]));
    const body = { spec: { cells: Object.fromEntries(changes) } };
    const headers = { 'content-type': 'application/merge-patch+json' };
    const answer = await call('PATCH', `${PATH}/${name}?fieldManager=${manager}`, { body, headers });
    const oracle = boards.get(name);
    assert.equal(answer.status, oracle === undefined ? 404 : 200, answer.text);
    oracle?.update(manager, changes);
    done += 1;
  }

  async function compare(call: Call, name: string): Promise<void> {
    const answer = await call('GET', `${PATH}/${name}`);
    const oracle = boards.get(name);
    assert.equal(answer.status, oracle === undefined ? 404 : 200, answer.text);
    if (oracle !== undefined) assert.deepEqual(viewOf(answer.json), oracle.view);
  }
});

interface BoardObject {
  readonly metadata: {
    readonly managedFields?: readonly {
      readonly manager: string;
      readonly operation: string;
      readonly fieldsV1: { readonly 'f:spec'?: { readonly 'f:cells'?: Readonly<Record<string, object>> } };
    }[];
  };
  readonly spec: { readonly cells?: Readonly<Record<string, string>> };
}

/** Cells with their values and owners, in the form of the oracle. */
function viewOf({ metadata: { managedFields = [] }, spec: { cells = {} } }: BoardObject): object {
  return Object.keys(cells)
    .sort()
    .map((key) => {
      const owners = managedFields
        .filter(({ fieldsV1 }) => fieldsV1['f:spec']?.['f:cells']?.[`f:${key}`] !== undefined)
        .map(({ operation, manager }) => `${operation.toLowerCase()}:${manager}`);
      return [key, cells[key], [...new Set(owners)].sort()];
    });
}

function board(name: string, cells: object): object {
  return { apiVersion: 'model.example.com/v1', kind: 'Board', metadata: { name }, spec: { cells } };
}

/** Declares the definition, with or without a second version. */
async function define(call: Call, isSecond: boolean): Promise<void> {
  const cells = { type: 'object', additionalProperties: { type: 'string' } };
  const schema = {
    openAPIV3Schema: { type: 'object', properties: { spec: { type: 'object', properties: { cells } } } },
  };
  const body = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'boards.model.example.com' },
    spec: {
      group: 'model.example.com',
      scope: 'Namespaced',
      names: { plural: 'boards', kind: 'Board' },
      versions: [
        { name: 'v1', served: true, storage: true, schema },
        ...(isSecond ? [{ name: 'v2', served: true, storage: false, schema }] : []),
      ],
    },
  };
  const path =
    '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/boards.model.example.com?fieldManager=model&force=true';
  const answer = await call('PATCH', path, { body, headers: { 'content-type': 'application/apply-patch+yaml' } });
  assert.ok(answer.status === 200 || answer.status === 201, answer.text);
  const isServed = async (): Promise<boolean> => (await call('GET', PATH)).status === 200;
  for (let tries = 0; !(await isServed()); tries += 1) {
    assert.ok(tries < 200, 'the definition is not served');
    await new Promise((done) => setTimeout(done, 20));
  }
}
