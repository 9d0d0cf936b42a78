import { accessKinds } from '#kernel/access/access.ts';
import { Client } from '#kernel/access/kinds/client.ts';
import { ConfigMap, Event, Namespace } from '#kernel/resources/builtin/core.ts';
import { Head } from '#kernel/resources/builtin/head.ts';
import { Lease } from '#kernel/resources/builtin/lease.ts';
import { kindRegistry, type KindRegistry } from '#kernel/resources/registry.ts';
import { ChangeSet } from '#kernel/releases/change-set.ts';
import { clientsModule } from '#kernel/snapshots/client-table.ts';
import type { DecisionModule } from '#kernel/snapshots/module.ts';
import { productsKinds, productsModule } from '#domains/products/module.ts';

/** Every kind that this program serves. Objects of one change set are written in this order. */
export function allKinds(): KindRegistry {
  return kindRegistry([Namespace, ConfigMap, Event, Lease, ...accessKinds, Client, Head, ChangeSet, ...productsKinds]);
}

/** Every domain's part in the decision plane. */
export const decisionModules: readonly DecisionModule<unknown>[] = [
  clientsModule as DecisionModule<unknown>,
  productsModule as DecisionModule<unknown>,
];
