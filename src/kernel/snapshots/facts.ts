import type { DecisionModule } from './module.ts';

type Facts = Readonly<Record<string, unknown>>;

const NONE: Facts = {};

/** Facts that modules answer from beside their own tables. */
export interface FactSources {
  /** The modules whose tables an answer of a module is made from: its own, and those that provide what it needs. */
  readonly sourcesOf: (module: DecisionModule<unknown>) => readonly string[];
  /** The facts that a module needs, from tables of one moment. */
  readonly of: (module: DecisionModule<unknown>, tableOf: (module: string) => unknown) => Facts;
}

/** Finds who provides what each module needs; throws where nobody does, or two do. */
export function factsBetween(modules: readonly DecisionModule<unknown>[]): FactSources {
  const providers = new Map<string, { readonly module: string; readonly from: (table: unknown) => unknown }>();
  for (const { name, provides = {} } of modules) {
    for (const [fact, from] of Object.entries(provides)) {
      const other = providers.get(fact)?.module;
      if (other !== undefined) throw new Error(`the fact ${fact} is provided by ${other} and ${name}`);
      providers.set(fact, { module: name, from });
    }
  }
  const needed = new Map(
    modules.map(({ name, needs = [] }) => [
      name,
      needs.map((fact) => {
        const provider = providers.get(fact);
        if (provider === undefined) throw new Error(`${name} needs the fact ${fact}, which no module provides`);
        return { fact, ...provider };
      }),
    ]),
  );
  const sources = new Map(
    [...needed].map(([name, facts]) => [name, [...new Set([name, ...facts.map(({ module }) => module)])]]),
  );
  return {
    sourcesOf: ({ name }) => sources.get(name) ?? [name],
    of: ({ name }, tableOf) => {
      const facts = needed.get(name) ?? [];
      if (facts.length === 0) return NONE;
      return Object.fromEntries(facts.map(({ fact, module, from }) => [fact, from(tableOf(module))]));
    },
  };
}
