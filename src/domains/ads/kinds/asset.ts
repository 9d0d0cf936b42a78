import { Type, type Static } from 'typebox';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import type { Problem } from '#kernel/base/failures.ts';
import { ADVERTISER, GROUP, VERSION } from './identity.ts';
import { account, httpsUrl, nameProblems, title } from './parts.ts';

const RENDITIONS_MAX = 20;
const SECONDS_MAX = 600;

export const FORMATS = ['audio', 'video', 'image'] as const;

const AssetSpecSchema = Type.Object(
  {
    account,
    title,
    format: Type.Enum(FORMATS, { description: 'audio, video or image.' }),
    seconds: Type.Optional(
      Type.Integer({ minimum: 1, maximum: SECONDS_MAX, description: 'How long it plays; an image has none.' }),
    ),
    renditions: Type.Array(
      Type.Object(
        {
          url: { ...httpsUrl, description: 'Where the file is.' },
          mime: Type.String({ pattern: '^[a-z]+/[\\w.+-]+$', maxLength: 100, description: 'Like audio/mpeg.' }),
          kbps: Type.Optional(Type.Integer({ minimum: 1, maximum: 100_000, description: 'Bit rate.' })),
          width: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000, description: 'In pixels.' })),
          height: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000, description: 'In pixels.' })),
        },
        { description: 'One file.' },
      ),
      { maxItems: RENDITIONS_MAX, default: [], description: 'The same in several qualities.' },
    ),
    vastTagUri: Type.Optional({
      ...httpsUrl,
      description:
        'Instead of files: the VAST of another ad server. Its ads are wrapped, and never served without consent to third parties.',
    }),
  },
  { description: 'A recording, a film or a picture.' },
);

export type AssetSpec = Static<typeof AssetSpecSchema>;

export const Asset = defineKind({
  group: GROUP,
  version: VERSION,
  kind: 'Asset',
  plural: 'assets',
  categories: ['advertising'],
  scope: 'Namespaced',
  direct: true,
  names: 'namespace',
  description: 'An asset is a recording, a film or a picture that ads play or show.',
  spec: AssetSpecSchema,
  columns: [
    { name: 'Account', type: 'string', description: 'The Advertiser.', value: ({ spec }) => spec.account },
    { name: 'Format', type: 'string', description: 'audio, video or image.', value: ({ spec }) => spec.format },
    { name: 'Seconds', type: 'integer', description: 'How long it plays.', value: ({ spec }) => spec.seconds },
  ],
  selectableFields: { 'spec.account': ['spec', 'account'] },
  indexes: { account: (spec) => [spec.account] },
  fieldIndexes: { 'spec.account': 'account' },
  refs: (spec, namespace) => [{ path: ['spec', 'account'], kind: ADVERTISER, name: `${namespace}/${spec.account}` }],
  validate: (spec, { name }) => [...nameProblems(spec, name), ...lengthProblems(spec), ...sourceProblems(spec)],
  example: {
    name: 'acme.jingle',
    spec: {
      account: 'acme',
      format: 'audio',
      seconds: 30,
      renditions: [{ url: 'https://cdn.example.com/acme/jingle.mp3', mime: 'audio/mpeg', kbps: 128 }],
    },
  },
});

function sourceProblems({ format, renditions, vastTagUri }: AssetSpec): readonly Problem[] {
  if (vastTagUri === undefined) {
    if (renditions.length > 0) return [];
    return [{ path: ['spec', 'renditions'], reason: 'FieldValueRequired', detail: 'one file, or a vastTagUri' }];
  }
  const path = ['spec', 'vastTagUri'];
  if (renditions.length > 0)
    return [{ path, reason: 'FieldValueForbidden', detail: 'it has files: use one of the two' }];
  if (format !== 'image') return [];
  return [{ path, reason: 'FieldValueForbidden', detail: 'an image has no VAST' }];
}

function lengthProblems({ format, seconds, renditions }: AssetSpec): readonly Problem[] {
  const wrong = renditions.findIndex(({ mime }) => !mime.startsWith(`${format}/`));
  return [
    ...(format !== 'image' && seconds === undefined
      ? [
          {
            path: ['spec', 'seconds'],
            reason: 'FieldValueRequired' as const,
            detail: `${format} has a length: without it, it fits no break`,
          },
        ]
      : []),
    ...(format === 'image' && seconds !== undefined
      ? [{ path: ['spec', 'seconds'], reason: 'FieldValueForbidden' as const, detail: 'an image has no length' }]
      : []),
    ...(wrong === -1
      ? []
      : [
          {
            path: ['spec', 'renditions', wrong, 'mime'],
            reason: 'FieldValueInvalid' as const,
            detail: `${renditions[wrong]?.mime ?? ''} is no ${format}`,
          },
        ]),
  ];
}
