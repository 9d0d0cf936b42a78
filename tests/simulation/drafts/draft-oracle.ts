/** An object of a draft. One that is `broken` breaks a rule of its kind, whatever there is. */
export interface DraftItem {
  readonly name: string;
  readonly title: string;
  readonly base?: number | undefined;
  readonly isBroken: boolean;
}

interface OracleObject {
  readonly title: string;
  readonly version: number;
}

interface OracleDraft {
  readonly uid: string;
  readonly version: number;
  readonly items: readonly DraftItem[];
}

interface OraclePublication {
  readonly draft: string;
  readonly by: string;
  readonly actions: readonly string[];
  /** Versions of the objects that it changed, in their order. */
  readonly versions: readonly number[];
}

export type Action =
  | { readonly do: 'create'; readonly name: string; readonly title: string }
  | { readonly do: 'edit'; readonly name: string; readonly title: string; readonly base: number }
  | { readonly do: 'remove'; readonly name: string }
  | { readonly do: 'save'; readonly draft: string; readonly items: readonly DraftItem[]; readonly base: number }
  | { readonly do: 'discard'; readonly draft: string }
  | {
      readonly do: 'publish';
      readonly draft: string;
      readonly uid: string;
      readonly by: string;
      readonly seen?: number;
    };

/** Objects, drafts and publications after one action and the next. Naive: no batches, no history, no races. */
export class DraftOracle {
  objects = new Map<string, OracleObject>();
  drafts = new Map<string, OracleDraft>();
  publications = new Map<string, OraclePublication>();
  /** Versions that are not known yet are below zero, each another one. */
  #unknown = 0;

  copy(): DraftOracle {
    const copy = new DraftOracle();
    copy.objects = new Map(this.objects);
    copy.drafts = new Map(this.drafts);
    copy.publications = new Map(this.publications);
    copy.#unknown = this.#unknown;
    return copy;
  }

  /** Does it, and gives the status of its answer. */
  act(action: Action): number {
    switch (action.do) {
      case 'create':
        if (this.objects.has(action.name)) return 409;
        this.objects.set(action.name, { title: action.title, version: this.#next() });
        return 201;
      case 'edit': {
        const object = this.objects.get(action.name);
        if (object === undefined) return 404;
        if (object.version !== action.base) return 409;
        if (object.title !== action.title)
          this.objects.set(action.name, { title: action.title, version: this.#next() });
        return 200;
      }
      case 'remove':
        return this.objects.delete(action.name) ? 200 : 404;
      case 'save': {
        const draft = this.drafts.get(action.draft);
        if (draft === undefined) return 404;
        if (draft.version !== action.base) return 409;
        this.drafts.set(action.draft, { uid: draft.uid, version: this.#next(), items: action.items });
        return 200;
      }
      case 'discard':
        return this.drafts.delete(action.draft) ? 200 : 404;
      case 'publish':
        return this.#publish(action);
      default:
        return action satisfies never;
    }
  }

  /** Positions of the objects that keep a draft from being published. */
  problemsOf(items: readonly DraftItem[]): {
    readonly outdated: readonly number[];
    readonly broken: readonly number[];
  } {
    const positions = [...items.keys()];
    return {
      outdated: positions.filter((position) => this.#isOutdated(items[position])),
      broken: positions.filter((position) => items[position]?.isBroken),
    };
  }

  #isOutdated(item: DraftItem | undefined): boolean {
    if (item === undefined) return false;
    const object = this.objects.get(item.name);
    if (item.base !== undefined) return object?.version !== item.base;
    return object !== undefined && object.title !== item.title;
  }

  #publish({ draft: name, uid, by, seen }: Extract<Action, { readonly do: 'publish' }>): number {
    const draft = this.drafts.get(name);
    if (draft?.uid !== uid) {
      const done = this.publications.get(uid);
      if (done?.draft === name) return done.by === by ? 201 : 409;
      return draft === undefined ? 404 : 409;
    }
    if (seen !== undefined && seen !== draft.version) return 409;
    const { outdated, broken } = this.problemsOf(draft.items);
    if (outdated.length > 0) return 409;
    if (broken.length > 0) return 422;
    const before = draft.items.map((item) => this.objects.get(item.name));
    const actions = draft.items.map(({ title }, index) =>
      before[index] === undefined ? 'created' : before[index].title === title ? 'unchanged' : 'configured',
    );
    const versions: number[] = [];
    for (const [index, { name: object, title }] of draft.items.entries()) {
      if (actions[index] === 'unchanged') continue;
      versions.push(this.#next());
      this.objects.set(object, { title, version: versions.at(-1) ?? 0 });
    }
    this.drafts.delete(name);
    this.publications.set(uid, { draft: name, by, actions, versions });
    return 201;
  }

  #next(): number {
    return (this.#unknown -= 1);
  }
}
