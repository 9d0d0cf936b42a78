import assert from 'node:assert/strict';
import type { Answer, Call } from '#tests/support/backline.ts';
import { ADS, draftOf, DRAFTS, publicationOf, VALIDATION } from '#tests/support/drafts.ts';
import { DraftOracle, type Action, type DraftItem } from './draft-oracle.ts';

export const USERS = ['ann', 'bob'] as const;
const NAMES = ['acme.k0', 'acme.k1', 'acme.k2', 'acme.k3'];
/** Its name does not begin with the account: a rule of the kind that no other object changes. */
const BROKEN = 'stray.k';
const DRAFT_NAMES = ['d0', 'd1'];
/** Past publications that may be repeated: not those of which too many drafts of the name have ended since. */
const PAST_MAX = 50;
const TITLES = ['one', 'two', 'three'];

export interface DraftStage {
  /** A request to one of two nodes, by a user. Fails when the node dies before it has answered. */
  readonly ask: (node: number, user: string, ...request: Parameters<Call>) => Promise<Answer>;
  /** SIGKILL of the process that writes; resolves when another one does, and the first is back. */
  readonly killWriter: () => Promise<void>;
}

interface Chance {
  readonly between: (least: number, most: number) => number;
}

const campaign = (name: string, title: string, base?: number) => ({
  apiVersion: 'ads.backline.dev/v1',
  kind: 'Campaign',
  metadata: { name, namespace: 'default', ...(base === undefined ? {} : { resourceVersion: String(base) }) },
  spec: { account: 'acme', title },
});

/** Plays with two nodes, and compares each answer and all that is declared with the oracle. */
export class DraftModel {
  readonly counts = new Map<string, number>();
  readonly #stage: DraftStage;
  readonly #chance: Chance;
  #oracle = new DraftOracle();
  /** Answers of publications, by uid: every repetition has the same one. */
  readonly #answers = new Map<string, string>();
  readonly #pastVersions: number[] = [1];

  constructor(stage: DraftStage, chance: Chance) {
    this.#stage = stage;
    this.#chance = chance;
  }

  async step(): Promise<void> {
    const kind = this.#chance.between(0, 9);
    if (kind < 4) await this.#saveDraft();
    else if (kind < 5) await this.#play([this.#anyEdit()]);
    else if (kind < 6) await this.#validate(this.#pick(DRAFT_NAMES));
    else if (kind < 7) await this.#play([this.#anyPublication()]);
    else await this.#play(this.#anyRace());
  }

  /** A race in which the process that writes is killed; then every publication of it is repeated. */
  async crash(): Promise<void> {
    const race = [this.#anyPublication(), ...this.#anyRace()];
    await this.#play(race, this.#chance.between(0, 12));
    for (const action of race) if (action.do === 'publish') await this.#play([action]);
  }

  #pick<One>(list: readonly One[]): One {
    const one = list[this.#chance.between(0, list.length - 1)];
    assert.ok(one !== undefined);
    return one;
  }

  #count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  #anyItems(): readonly DraftItem[] {
    const names = NAMES.filter(() => this.#chance.between(0, 2) > 0);
    if (names.length === 0) names.push(this.#pick(NAMES));
    if (this.#chance.between(0, 9) === 0) names.push(BROKEN);
    return names.map((name) => {
      const present = this.#oracle.objects.get(name)?.version;
      const chance = this.#chance.between(0, 19);
      const base = chance < 18 ? present : chance < 19 ? this.#pick(this.#pastVersions) : undefined;
      return { name, title: this.#pick(TITLES), base, isBroken: name === BROKEN };
    });
  }

  #anyEdit(): Action {
    const name = this.#pick(NAMES);
    const object = this.#oracle.objects.get(name);
    if (object === undefined) return { do: 'create', name, title: this.#pick(TITLES) };
    if (this.#chance.between(0, 5) === 0) return { do: 'remove', name };
    return { do: 'edit', name, title: this.#pick(TITLES), base: object.version };
  }

  #anyPublication(): Action {
    const draft = this.#pick(DRAFT_NAMES);
    const by = this.#pick(USERS);
    const found = this.#oracle.drafts.get(draft);
    const past = [...this.#oracle.publications]
      .filter(([, publication]) => publication.draft === draft)
      .slice(-PAST_MAX);
    if (found === undefined || (past.length > 0 && this.#chance.between(0, 7) === 0)) {
      return { do: 'publish', draft, uid: past.length === 0 ? 'no-such-uid' : this.#pick(past)[0], by };
    }
    const isSeen = this.#chance.between(0, 3) === 0;
    return { do: 'publish', draft, uid: found.uid, by, ...(isSeen ? { seen: found.version } : {}) };
  }

  /** Two to four at once; most of them publications of one draft. */
  #anyRace(): readonly Action[] {
    const first = this.#anyPublication();
    const race: Action[] = [first];
    const count = this.#chance.between(1, 3);
    for (let index = 0; index < count; index += 1) {
      const chance = this.#chance.between(0, 9);
      if (chance < 5 && first.do === 'publish') race.push({ ...first, by: this.#pick(USERS) });
      else if (chance < 8) race.push(this.#anyEdit());
      else race.push(this.#anyDraftEdit());
    }
    return race;
  }

  #anyDraftEdit(): Action {
    const draft = this.#pick(DRAFT_NAMES);
    const found = this.#oracle.drafts.get(draft);
    if (found === undefined || this.#chance.between(0, 3) === 0) return { do: 'discard', draft };
    return { do: 'save', draft, items: this.#changedItems(found.items), base: found.version };
  }

  /** One title of them is another, so that the draft is another version. */
  #changedItems(items: readonly DraftItem[]): readonly DraftItem[] {
    const at = this.#chance.between(0, items.length - 1);
    return items.map((item, index) =>
      index === at ? { ...item, title: this.#pick(TITLES.filter((title) => title !== item.title)) } : item,
    );
  }

  async #saveDraft(): Promise<void> {
    const draft = this.#pick(DRAFT_NAMES);
    const items = this.#anyItems();
    const found = this.#oracle.drafts.get(draft);
    if (found !== undefined) {
      if (JSON.stringify(found.items) === JSON.stringify(items)) return;
      return this.#play([{ do: 'save', draft, items, base: found.version }]);
    }
    const answer = await this.#ask('ann', 'POST', DRAFTS, { body: bodyOf(draft, items) });
    assert.equal(answer.status, 201, answer.text);
    const { uid, resourceVersion } = answer.json.metadata;
    this.#oracle.drafts.set(draft, { uid, version: Number(resourceVersion), items });
    this.#count('draft');
    if (this.#chance.between(0, 1) === 0) await this.#validate(draft);
  }

  async #validate(draft: string): Promise<void> {
    const found = this.#oracle.drafts.get(draft);
    const before = await this.#versionNow();
    const answer = await this.#ask(this.#pick(USERS), 'POST', `${DRAFTS}/${draft}/validate`, { body: VALIDATION });
    assert.equal(await this.#versionNow(), before, 'validating writes nothing');
    if (found === undefined) return assert.equal(answer.status, 404, answer.text);
    const { outdated, broken } = this.#oracle.problemsOf(found.items);
    const problems: readonly { position: number; outdated?: true }[] = answer.json.status.problems;
    const positions = (isOutdated: boolean) => [
      ...new Set(problems.filter((one) => (one.outdated === true) === isOutdated).map(({ position }) => position)),
    ];
    assert.deepEqual({ outdated: positions(true), broken: positions(false) }, { outdated, broken }, answer.text);
    assert.equal(answer.json.status.valid, outdated.length + broken.length === 0);
    this.#count(answer.json.status.valid === true ? 'valid' : 'not valid');
  }

  async #versionNow(): Promise<string> {
    return (await this.#ask('ann', 'GET', `${DRAFTS}?limit=1`)).json.metadata.resourceVersion;
  }

  #ask(user: string, ...request: Parameters<Call>): Promise<Answer> {
    return this.#stage.ask(this.#chance.between(0, 1), user, ...request);
  }

  /** Does all at once. Their answers and what is left have to be those of some order of them. */
  async #play(actions: readonly Action[], killAfterMs?: number): Promise<void> {
    const answering = actions.map((action) =>
      this.#send(action).then(
        (answer) => answer,
        (error: unknown) => {
          if (killAfterMs === undefined) throw error;
          return undefined;
        },
      ),
    );
    if (killAfterMs !== undefined) {
      await new Promise((resolve) => setTimeout(resolve, killAfterMs));
      await this.#stage.killWriter();
      this.#count('killed');
    }
    const answers = (await Promise.all(answering)).map((answer) =>
      // The process may have answered that it does not know.
      killAfterMs !== undefined && (answer?.status ?? 0) >= 500 ? undefined : answer,
    );
    const declared = await this.#readDeclared();
    const possible = this.#worldsAfter(actions, answers);
    const world = possible.find((one) => isEqual(shapeOf(one), shapeIn(declared)));
    assert.ok(
      world !== undefined,
      `no order of ${JSON.stringify(actions)} explains ${JSON.stringify(answers.map((answer) => answer?.text))} and ${JSON.stringify(shapeIn(declared))}; before: ${JSON.stringify(shapeOf(this.#oracle))}`,
    );
    this.#adopt(world, declared);
    for (const [index, action] of actions.entries()) this.#checkAnswer(action, answers[index]);
  }

  #send(action: Action): Promise<Answer> {
    const user = action.do === 'publish' ? action.by : this.#pick(USERS);
    switch (action.do) {
      case 'create':
        return this.#ask(user, 'POST', `${ADS}/campaigns`, { body: campaign(action.name, action.title) });
      case 'edit': {
        const body = campaign(action.name, action.title, action.base);
        return this.#ask(user, 'PUT', `${ADS}/campaigns/${action.name}`, { body });
      }
      case 'remove':
        return this.#ask(user, 'DELETE', `${ADS}/campaigns/${action.name}`);
      case 'save':
        return this.#ask(user, 'PUT', `${DRAFTS}/${action.draft}`, {
          body: bodyOf(action.draft, action.items, action.base),
        });
      case 'discard':
        return this.#ask(user, 'DELETE', `${DRAFTS}/${action.draft}`);
      case 'publish': {
        const seen = action.seen === undefined ? {} : { resourceVersion: String(action.seen) };
        const body = publicationOf({ uid: action.uid, ...seen });
        return this.#ask(user, 'POST', `${DRAFTS}/${action.draft}/publish`, { body });
      }
      default:
        return action satisfies never;
    }
  }

  /** The worlds that orders of the actions lead to with these answers; one without an answer may not have been done. */
  #worldsAfter(actions: readonly Action[], answers: readonly (Answer | undefined)[]): readonly DraftOracle[] {
    const go = (world: DraftOracle, left: readonly number[]): DraftOracle[] =>
      left.length === 0
        ? [world]
        : left.flatMap((index) => {
            const rest = left.filter((other) => other !== index);
            const action = actions[index];
            const answer = answers[index];
            assert.ok(action !== undefined);
            const next = world.copy();
            const status = next.act(action);
            if (answer !== undefined) return answer.status === status ? go(next, rest) : [];
            return [...go(next, rest), ...go(world.copy(), rest)];
          });
    return go(this.#oracle, [...actions.keys()]);
  }

  /** Both nodes show the same. */
  async #readDeclared(): Promise<DeclaredObjects> {
    const [first, second] = await Promise.all(
      [0, 1].map(async (node): Promise<DeclaredObjects> => {
        const [campaigns, drafts] = await Promise.all(
          [`${ADS}/campaigns`, DRAFTS].map((path) => this.#stage.ask(node, 'ann', 'GET', path)),
        );
        return { campaigns: campaigns?.json.items, drafts: drafts?.json.items };
      }),
    );
    assert.ok(first !== undefined);
    assert.deepEqual(first, second);
    return first;
  }

  /** Takes over the world, with the versions that there are. */
  #adopt(world: DraftOracle, { campaigns, drafts }: DeclaredObjects): void {
    const known = new Map(campaigns.map(({ metadata }) => [metadata.name, Number(metadata.resourceVersion)]));
    for (const [name, object] of world.objects) {
      const version = known.get(name) ?? 0;
      if (object.version > 0) assert.equal(version, object.version, `${name} was not written`);
      for (const [uid, done] of world.publications) {
        if (!done.versions.includes(object.version)) continue;
        const versions = done.versions.map((one) => (one === object.version ? version : one));
        world.publications.set(uid, { ...done, versions });
      }
      world.objects.set(name, { ...object, version });
      this.#pastVersions.push(version);
    }
    for (const { metadata } of drafts) {
      const draft = world.drafts.get(metadata.name);
      assert.ok(draft !== undefined);
      if (draft.version > 0) assert.equal(Number(metadata.resourceVersion), draft.version);
      world.drafts.set(metadata.name, { ...draft, version: Number(metadata.resourceVersion) });
    }
    this.#oracle = world;
  }

  #checkAnswer(action: Action, answer: Answer | undefined): void {
    if (action.do !== 'publish') return this.#count(action.do);
    if (answer === undefined) return this.#count('answer lost');
    this.#count(`publish ${answer.status}`);
    if (answer.status !== 201) return;
    const done = this.#oracle.publications.get(action.uid);
    assert.ok(done !== undefined);
    const { status } = answer.json;
    const before = this.#answers.get(action.uid);
    if (before !== undefined) {
      this.#count('repeated');
      return assert.equal(JSON.stringify(status), before, 'a repetition has the same answer');
    }
    this.#answers.set(action.uid, JSON.stringify(status));
    assert.equal(status.by, done.by);
    assert.deepEqual(
      status.results.map((result: { action: string }) => result.action),
      done.actions,
    );
    // One write: the objects, one after the other, and the end of the draft.
    for (const [index, version] of done.versions.entries()) {
      if (version > 0) assert.equal(version, Number(status.version) - done.versions.length + index);
    }
  }
}

interface DeclaredObject {
  readonly metadata: { readonly name: string; readonly uid: string; readonly resourceVersion: string };
  readonly spec: {
    readonly title: string;
    readonly objects: readonly { metadata: { name: string }; spec: { title: string } }[];
  };
}

interface DeclaredObjects {
  readonly campaigns: readonly DeclaredObject[];
  readonly drafts: readonly DeclaredObject[];
}

function bodyOf(name: string, items: readonly DraftItem[], base?: number) {
  const draft = draftOf(
    name,
    items.map((item) => campaign(item.name, item.title, item.base)),
  );
  return base === undefined ? draft : { ...draft, metadata: { ...draft.metadata, resourceVersion: String(base) } };
}

/** Objects and drafts that there are, without versions. */
function shapeIn({ campaigns, drafts }: DeclaredObjects) {
  return {
    objects: campaigns.map(({ metadata, spec }) => [metadata.name, spec.title]).sort(),
    drafts: drafts
      .map(({ metadata, spec }) => [
        metadata.name,
        metadata.uid,
        ...spec.objects.map((one) => `${one.metadata.name} ${one.spec.title}`),
      ])
      .sort(),
  };
}

function shapeOf({ objects, drafts }: DraftOracle) {
  return {
    objects: Array.from(objects, ([name, { title }]) => [name, title]).sort(),
    drafts: Array.from(drafts, ([name, { uid, items }]) => [
      name,
      uid,
      ...items.map((one) => `${one.name} ${one.title}`),
    ]).sort(),
  };
}

function isEqual(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
