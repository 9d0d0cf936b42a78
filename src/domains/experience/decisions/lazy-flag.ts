import type { CompiledFlag } from './table.ts';

/** What is known of a flag before it is compiled. */
export type KnownOfFlag = Pick<CompiledFlag, 'key' | 'object' | 'experiments' | 'sticky' | 'requires'>;

/**
 * A flag that is compiled when it is first asked for: compiled it takes forty times the memory, and most of very many are
 * asked for seldom. What it is compiled from must not change; and none of it is parsed meanwhile.
 */
export class LazyFlag<Beside> implements CompiledFlag {
  readonly key: string;
  readonly object: CompiledFlag['object'];
  readonly experiments: CompiledFlag['experiments'];
  readonly sticky: CompiledFlag['sticky'];
  readonly requires: boolean;
  readonly #compile: (object: CompiledFlag['object'], beside: Beside) => CompiledParts;
  #beside: Beside | undefined;
  #compiled: CompiledParts | undefined;

  constructor(
    known: KnownOfFlag,
    beside: Beside,
    compile: (object: CompiledFlag['object'], beside: Beside) => CompiledParts,
  ) {
    this.key = known.key;
    this.object = known.object;
    this.experiments = known.experiments;
    this.sticky = known.sticky;
    this.requires = known.requires;
    this.#beside = beside;
    this.#compile = compile;
  }

  get name(): string {
    return this.object.name;
  }

  get revision(): string {
    return this.object.revision;
  }

  get #parts(): CompiledParts {
    if (this.#compiled !== undefined) return this.#compiled;
    if (this.#beside === undefined) throw new Error(`flag ${this.name} was compiled to nothing`);
    this.#compiled = this.#compile(this.object, this.#beside);
    this.#beside = undefined;
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
