/** Units on record by name, by the value of the fact that gives their place; undefined: unknown. */
export type UnitsOnRecord = (unit: string) => ReadonlyMap<string, number> | undefined;
