import type { CompiledFlag } from './table.ts';

/** Properties of a flag that are known before it compiles. */
export type FlagOutline = Pick<CompiledFlag, 'key' | 'object' | 'experiments' | 'sticky' | 'requires'>;

/**
 * A flag that compiles at its first evaluation. A compiled flag takes forty times the memory, and in large
 * catalogues most are rarely evaluated. Its inputs must not change.
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
    known: FlagOutline,
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
    if (this.#beside === undefined) throw new Error(`flag ${this.name} has no compiled parts`);
    this.#compiled = this.#compile(this.object, this.#beside);
    this.#beside = undefined;
    return this.#compiled;
  }

  decide(...evaluation: Parameters<CompiledFlag['decide']>): ReturnType<CompiledFlag['decide']> {
    return this.#parts.decide(...evaluation);
  }

  stepsOf(...evaluation: Parameters<CompiledFlag['stepsOf']>): ReturnType<CompiledFlag['stepsOf']> {
    return this.#parts.stepsOf(...evaluation);
  }

  get forced(): CompiledFlag['forced'] {
    return this.#parts.forced;
  }

  /** Compiles the flag now. Throws what is wrong with it. */
  whole(): this {
    void this.#parts;
    return this;
  }
}

export type CompiledParts = Pick<CompiledFlag, 'decide' | 'stepsOf' | 'forced'>;
