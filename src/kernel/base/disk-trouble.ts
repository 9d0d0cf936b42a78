/** Error codes of a disk that cannot be written: no room, read-only, not for this user, broken. */
const CODES: ReadonlySet<unknown> = new Set(['ENOSPC', 'EDQUOT', 'EROFS', 'EACCES', 'EPERM', 'EIO']);
/** The same from SQLite, which numbers them: PERM, READONLY, IOERR, FULL, CANTOPEN. */
const SQLITE_CODES: ReadonlySet<number> = new Set([3, 8, 10, 13, 14]);
/** Extended codes of SQLite have the plain one in their lowest byte. */
const SQLITE_PLAIN = 0xff;

/** Why a file could not be written, where that is for the operator to mend; undefined for other errors. */
export function diskTrouble(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code, syscall, errcode } = error as NodeJS.ErrnoException & { readonly errcode?: unknown };
  if (typeof errcode === 'number') return SQLITE_CODES.has(errcode & SQLITE_PLAIN) ? error.message : undefined;
  // A port may be for others too.
  return CODES.has(code) && syscall !== 'listen' ? error.message : undefined;
}
