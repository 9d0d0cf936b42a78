import { defineRefusals, type CodesOf } from '#kernel/base/refusals.ts';

export const resourceRefusal = defineRefusals('resources', {
  'apply-conflict': {
    reason: 'Conflict',
    meaning: 'Another manager owns fields that the apply would change.',
    hint: 'Leave the fields out, apply the same values, or take them over: kubectl apply --server-side --force-conflicts',
  },
  'already-exists': {
    reason: 'AlreadyExists',
    meaning: 'An object of this name exists.',
    hint: 'Update it, or choose another name.',
  },
  'bad-continue': {
    reason: 'BadRequest',
    meaning: 'The continue token is not one of this list.',
    remedy: 'Pass the value of metadata.continue as it came, or start a new list.',
  },
  'bad-delete-options': {
    reason: 'BadRequest',
    meaning: 'The DeleteOptions cannot be read.',
    hint: 'Correct the field that the message names.',
  },
  'bad-managed-fields': {
    reason: 'BadRequest',
    meaning: 'An applied object has managedFields.',
    hint: 'Leave metadata.managedFields out of what is applied.',
  },
  'bad-metadata': {
    reason: 'BadRequest',
    meaning: 'metadata is no object.',
    hint: 'Send metadata with a name.',
  },
  'bad-path': {
    reason: 'BadRequest',
    meaning: 'The path is not valid percent-encoding.',
    hint: 'Encode the path.',
  },
  'bad-query': {
    reason: 'BadRequest',
    meaning: 'A parameter of the query has a wrong value.',
    hint: 'Correct the parameter that the message names.',
  },
  conflict: {
    reason: 'Conflict',
    meaning: 'The object changed since it was read.',
    hint: 'Read it again and apply the change to that.',
  },
  'duplicate-field': {
    reason: 'BadRequest',
    meaning: 'A field stands twice in the body.',
    hint: 'Send it once.',
  },
  'empty-body': {
    reason: 'BadRequest',
    meaning: 'The body is empty.',
    hint: 'Send one object.',
  },
  expired: {
    reason: 'Expired',
    meaning: 'The version is no longer kept.',
    hint: 'Watch: list again, and watch from the version of that list. The past (--as-of): ask for a later time; it is kept for --history-days.',
  },
  'field-not-selectable': {
    reason: 'BadRequest',
    meaning: 'The kind does not let this field be selected.',
    remedy: 'Select by the fields that `kubectl explain` and the reference name.',
  },
  'gave-way': {
    reason: 'ServiceUnavailable',
    meaning: 'The writer gave way because its database did not answer; nothing was written.',
    remedy: 'Try again in a moment; nothing was written.',
  },
  invalid: {
    reason: 'Invalid',
    meaning: 'The object breaks a rule of its kind.',
    hint: 'Correct the fields that the causes name.',
  },
  'invalid-delete-options': {
    reason: 'Invalid',
    meaning: 'A field of the DeleteOptions is wrong.',
    hint: 'Correct the field that the message names.',
  },
  'invalid-field-selector': {
    reason: 'BadRequest',
    meaning: 'The field selector has a syntax error.',
    hint: 'Correct it at the position that the message names.',
  },
  'invalid-options': {
    reason: 'Invalid',
    meaning: 'Options of a list, a watch or a patch do not go together.',
    hint: 'Correct the option that the message names.',
  },
  'invalid-label-selector': {
    reason: 'BadRequest',
    meaning: 'The label selector has a syntax error.',
    hint: 'Correct it at the position that the message names.',
  },
  'malformed-body': {
    reason: 'BadRequest',
    meaning: 'The body cannot be parsed.',
    hint: 'Correct it at the position that the message names.',
  },
  'malformed-manifest': {
    reason: 'BadRequest',
    meaning: 'A manifest cannot be parsed.',
    hint: 'Correct it at the line that the message names.',
  },
  'malformed-patch': {
    reason: 'BadRequest',
    meaning: 'The patch has a wrong form.',
    hint: 'Correct the patch.',
  },
  'many-documents': {
    reason: 'BadRequest',
    meaning: 'The body holds several YAML documents.',
    remedy: 'Send them one by one.',
  },
  'name-mismatch': {
    reason: 'BadRequest',
    meaning: 'The name in the body is not that of the path.',
    hint: 'Send the same name in both.',
  },
  'namespace-full': {
    reason: 'Forbidden',
    meaning:
      'The namespace, or an owner in it, has as many objects of the kind, or characters of them, as it may have.',
    hint: 'Delete those that are no longer needed.',
  },
  'namespace-lasting': {
    reason: 'Forbidden',
    meaning: 'The namespace cannot be deleted.',
    hint: 'Leave it; delete the objects in it.',
  },
  'namespace-mismatch': {
    reason: 'BadRequest',
    meaning: 'The namespace in the body is not that of the path.',
    hint: 'Send the same namespace in both.',
  },
  'namespace-not-found': {
    reason: 'NotFound',
    meaning: 'There is no such namespace.',
    hint: 'Create it first.',
  },
  'namespace-terminating': {
    reason: 'Forbidden',
    meaning: 'The namespace is being deleted.',
    hint: 'Wait until it is gone, or use another.',
  },
  'nested-too-deep': {
    reason: 'BadRequest',
    meaning: 'The body is nested too deeply.',
    remedy: 'Flatten the document.',
  },
  'no-name': {
    reason: 'Invalid',
    meaning: 'The object has neither name nor generateName.',
    hint: 'Give metadata.name.',
  },
  'no-namespace': {
    reason: 'BadRequest',
    meaning: 'The object names no namespace.',
    remedy: 'Say in metadata.namespace where it belongs.',
  },
  'no-such-kind': {
    reason: 'NotFound',
    meaning: 'The kind is no longer served.',
    remedy: 'See what there is: kubectl api-resources',
  },
  'no-such-path': {
    reason: 'NotFound',
    meaning: 'The server has no such resource.',
    remedy: 'See `kubectl api-resources`.',
  },
  'not-acceptable': {
    reason: 'NotAcceptable',
    meaning: 'No media type of the Accept header can be answered.',
    hint: 'Ask for application/json.',
  },
  'not-an-object': {
    reason: 'BadRequest',
    meaning: 'The body is no object of the kind.',
    hint: 'Send one object with apiVersion, kind and metadata.',
  },
  'not-converted': {
    reason: 'RequestEntityTooLarge',
    meaning:
      'A write needs more conversions by the webhook of its definition than are kept for one request (1,000 objects).',
    remedy: 'Send fewer objects at a time, or those of the version in which they are stored.',
  },
  'not-found': {
    reason: 'NotFound',
    meaning: 'There is no object of this name.',
    hint: 'Check name and namespace.',
  },
  'not-fresh': {
    reason: 'ServiceUnavailable',
    meaning: 'The process lags behind the writer.',
    remedy: 'Try again in a moment, or read with resourceVersion=0 what it has.',
  },
  'not-stored': {
    reason: 'ServiceUnavailable',
    meaning: 'The database refused the write; nothing was written.',
    remedy: 'Nothing was written. Try again, and look at the database if it persists.',
  },
  'not-utf8': {
    reason: 'BadRequest',
    meaning: 'The body is not UTF-8.',
    hint: 'Send UTF-8.',
  },
  'not-writer': {
    reason: 'ServiceUnavailable',
    meaning: 'The process is not the writer, and the writer cannot be reached; nothing was written.',
    remedy: 'Send the request to the process that writes now.',
  },
  'object-too-large': {
    reason: 'RequestEntityTooLarge',
    meaning: 'The object is larger than one may be.',
    remedy: 'Spread it over several objects.',
  },
  'other-writer': {
    reason: 'Conflict',
    meaning: 'Another API process has the writer lock.',
    remedy: 'Nothing: an API process waits for the lock by itself, and no caller gets this.',
  },
  'outcome-unknown': {
    reason: 'ServiceUnavailable',
    meaning: 'The writer was lost during the write: whether it was written is not known.',
    remedy: 'Read the object again before repeating the write.',
  },
  'patch-failed': {
    reason: 'Invalid',
    meaning: 'An operation of the JSON patch failed.',
    hint: 'Read the object again and correct the patch.',
  },
  refused: {
    reason: 'BadRequest',
    meaning: 'The server refused without a code.',
    hint: 'See the message.',
  },
  'selector-too-long': {
    reason: 'BadRequest',
    meaning: 'The selector is too long.',
    remedy: 'Name several values of one label with in (…) or notin (…), which is one term.',
  },
  'taken-over': {
    reason: 'ServiceUnavailable',
    meaning: 'Another process became the writer; nothing was written.',
    remedy: 'Send the request to the process that writes now.',
  },
  'too-many': {
    reason: 'RequestEntityTooLarge',
    meaning: 'The collection holds more objects than can be deleted at once.',
    remedy: 'Narrow it with labelSelector, or name a limit and go on with continue.',
  },
  'too-many-items': {
    reason: 'RequestEntityTooLarge',
    meaning: 'A list of the body has too many items.',
    hint: 'Spread them over several objects.',
  },
  'too-many-members': {
    reason: 'RequestEntityTooLarge',
    meaning: 'An object of the body has too many members.',
    hint: 'Spread them over several objects.',
  },
  'too-many-operations': {
    reason: 'RequestEntityTooLarge',
    meaning: 'The request holds too many operations.',
    hint: 'Send several smaller requests.',
  },
  'too-many-values': {
    reason: 'RequestEntityTooLarge',
    meaning: 'The body holds too many values.',
    remedy: 'Write what is repeated as several documents.',
  },
  'unknown-field': {
    reason: 'BadRequest',
    meaning: 'The kind has no such field.',
    hint: 'See `kubectl explain` for the fields.',
  },
  'too-many-managers': {
    reason: 'Invalid',
    meaning: 'Too many managers own fields of the object.',
    remedy: 'Apply under a name that is among them, or reset them: set metadata.managedFields to [{}].',
  },
  'unsupported-patch-type': {
    reason: 'UnsupportedMediaType',
    meaning: 'The kind does not take this type of patch.',
    hint: 'Send application/merge-patch+json.',
  },
  'unsupported-value': {
    reason: 'BadRequest',
    meaning: 'A value has no JSON form.',
    hint: 'Use text, numbers, booleans, lists and maps.',
  },
  'version-on-create': {
    reason: 'BadRequest',
    meaning: 'A new object has a resourceVersion.',
    hint: 'Leave it out.',
  },
  'version-too-large': {
    reason: 'Timeout',
    meaning: 'The version has not been written yet.',
    hint: 'Read with a version that this server gave.',
  },
  'wrong-kind': {
    reason: 'BadRequest',
    meaning: 'apiVersion or kind is not that of the path.',
    hint: 'Send the object to the path of its kind.',
  },
  'cbor-too-large': {
    reason: 'RequestEntityTooLarge',
    meaning: 'The CBOR body is too large.',
    remedy: 'Send it as JSON.',
  },
  'yaml-too-large': {
    reason: 'RequestEntityTooLarge',
    meaning: 'The YAML body is too large.',
    remedy: 'Send it as JSON.',
  },
});

declare module '#kernel/base/failures.ts' {
  interface RefusalCodes extends CodesOf<typeof resourceRefusal> {}
}
