/**
 * How many units of a name are on record, by the value of the fact that tells where they are; undefined where it is not
 * known: then nothing is said about them.
 */
export type KnownUnits = (unit: string) => ReadonlyMap<string, number> | undefined;
