import type { LocalRuntime } from '#kernel/controllers/module-controller.ts';
import type { Clock } from '#kernel/base/clock.ts';
import type { Module, ModuleRecords, UnitParts, Units } from '#kernel/modules/module.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import type { VirtualKind } from '#kernel/api/virtual.ts';
import { inProcessClient } from '#kernel/api/client/in-process.ts';
import type { SharedStore } from '#kernel/store/shared-store.ts';

/** The units that modules know, each counted by the first that knows it. */
export function openUnits(modules: readonly Module[], parts: UnitParts): Units {
  const all = modules.flatMap(({ units }) => units?.(parts) ?? []);
  return {
    of: (unit) => all.map((units) => units.of(unit)).find((known) => known !== undefined),
    stop: async () => {
      await Promise.all(all.map((units) => units.stop()));
    },
  };
}

/** Handlers of objects that are posted and not stored, by `Kind.id`. */
export function moduleCommands(
  modules: readonly Module[],
  parts: {
    readonly records: ReadonlyMap<string, ModuleRecords>;
    readonly store: SharedStore<Operation>;
    readonly query: VirtualKind;
    readonly clock: Clock;
    readonly localRuntime: Pick<LocalRuntime, 'directory'> | undefined;
  },
): ReadonlyMap<string, VirtualKind> {
  const { records, store, ...others } = parts;
  return new Map(
    modules.flatMap(({ name, commands }) => [
      ...(commands?.({ records: records.get(name), client: inProcessClient(store, `system:${name}`), ...others }) ??
        []),
    ]),
  );
}
