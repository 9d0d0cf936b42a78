import type { Migration } from '#kernel/postgres/migrations/migration.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import { MODULES } from './modules.ts';
import { kindsOf, migrationsOf } from './parts/catalogue.ts';

/** Every kind that this program serves. */
export function allKinds(): KindRegistry {
  return kindsOf(MODULES);
}

/** Every step of the schema, in order. */
export function allMigrations(): readonly Migration[] {
  return migrationsOf(MODULES);
}
