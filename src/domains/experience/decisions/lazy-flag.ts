import type { CompiledFlag } from './table.ts';

/** What is known of a flag before it is compiled. */
export type KnownOfFlag = Pick<
  CompiledFlag,
  'name' | 'key' | 'revision' | 'type' | 'object' | 'experiments' | 'sticky' | 'requires'
>;

/**
 * A flag that is compiled when it is first asked for: compiled it takes forty times the memory, and most of very many are
 * asked for seldom. `compile` must read nothing that changes.
 */
export class LazyFlag implements CompiledFlag {
  readonly name: string;
  readonly key: string;
  readonly revision: string;
  readonly type: CompiledFlag['type'];
  readonly object: CompiledFlag['object'];
  readonly experiments: CompiledFlag['experiments'];
  readonly sticky: CompiledFlag['sticky'];
  readonly requires: boolean;
  #compile: (() => CompiledParts) | undefined;
  #compiled: CompiledParts | undefined;

  constructor(known: KnownOfFlag, compile: () => CompiledParts) {
    this.name = known.name;
    this.key = known.key;
    this.revision = known.revision;
    this.type = known.type;
    this.object = known.object;
    this.experiments = known.experiments;
    this.sticky = known.sticky;
    this.requires = known.requires;
    this.#compile = compile;
  }

  get #parts(): CompiledParts {
    if (this.#compiled === undefined && this.#compile !== undefined) {
      this.#compiled = this.#compile();
      this.#compile = undefined;
    }
    if (this.#compiled === undefined) throw new Error(`flag ${this.name} was compiled to nothing`);
    return this.#compiled;
  }

  decide(...asked: Parameters<CompiledFlag['decide']>): ReturnType<CompiledFlag['decide']> {
    return this.#parts.decide(...asked);
  }

  looks(...asked: Parameters<CompiledFlag['looks']>): ReturnType<CompiledFlag['looks']> {
    return this.#parts.looks(...asked);
  }

  get forced(): CompiledFlag['forced'] {
    return this.#parts.forced;
  }

  /** Compiles it now. Throws what is wrong with it. */
  whole(): this {
    void this.#parts;
    return this;
  }
}

export type CompiledParts = Pick<CompiledFlag, 'decide' | 'looks' | 'forced'>;
