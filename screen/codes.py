"""Exit codes and reason codes: each with its outcome, meaning and remedy."""

from dataclasses import dataclass
from enum import IntEnum

from screen.compute_codes import COMPUTE_CODES
from screen.curve_codes import CURVE_CODES
from screen.learning_codes import LEARNING_CODES
from screen.normalizer_codes import NORMALIZER_CODES


class ExitCode(IntEnum):
    """What the process tells the shell; 0 alone means complete."""

    COMPLETE = 0
    INTERNAL = 1
    USAGE = 2
    REFUSED = 3
    PARTIAL = 4
    RESOURCES = 5
    LOCKED = 6
    INTEGRITY = 7
    QUARANTINE = 8
    INTERRUPTED = 130
    TERMINATED = 143


# With quarantined wells too, there is a table to go on with.
USABLE = (ExitCode.COMPLETE, ExitCode.PARTIAL, ExitCode.QUARANTINE)

EXIT_MEANINGS: dict[ExitCode, str] = {
    ExitCode.COMPLETE: "complete: every expected well is scored or declared absent",
    ExitCode.INTERNAL: "internal error; the path of a crash report is printed",
    ExitCode.USAGE: "unknown verb, key or value",
    ExitCode.REFUSED: "inputs refused before any computing",
    ExitCode.PARTIAL: "finished, with quarantined or held wells",
    ExitCode.RESOURCES: "disk, memory or device ran out; run the same command again",
    ExitCode.LOCKED: "the output is locked by another run",
    ExitCode.INTEGRITY: "an existing output is not what was written",
    ExitCode.QUARANTINE: "too many wells quarantined; the table is not final",
    ExitCode.INTERRUPTED: "interrupted; run the same command again to go on",
    ExitCode.TERMINATED: "terminated; run the same command again to go on",
}


@dataclass(frozen=True)
class Code:
    """A reason code: what the engine does, with which exit code, why and what helps."""

    outcome: str
    exit: ExitCode
    meaning: str
    remedy: str


def _row(text: str) -> tuple[str, Code]:
    name, outcome, exit_name, meaning, remedy = (s.strip() for s in text.split("|"))

    return name, Code(outcome, ExitCode[exit_name], meaning, remedy)


# name | outcome | exit code | meaning | remedy
_TABLE = """
CFG_VERB_UNKNOWN | REFUSE | USAGE | the first word is no verb | choose a verb of the list
CFG_NOT_KEY_VALUE | REFUSE | USAGE | an argument is not key=value | write key=value
CFG_KEY_UNKNOWN | REFUSE | USAGE | the verb has no such key | see --help of the verb
CFG_KEY_FORBIDDEN | REFUSE | USAGE | the key could run code or change the frame | leave it out
CFG_KEY_REPEATED | REFUSE | USAGE | a key is given twice | give it once
CFG_KEY_MISSING | REFUSE | USAGE | a key without default is not given | give it
CFG_OPTION_UNKNOWN | REFUSE | USAGE | the group has no such option | choose one of the list
CFG_VALUE_TYPE | REFUSE | USAGE | the value is of another type | give a value of the type
CFG_VALUE_RANGE | REFUSE | USAGE | the value is not allowed | give an allowed value
CFG_INTERPOLATION | REFUSE | USAGE | values are taken as they are | write the value itself
CFG_FILE_LIMIT | REFUSE | USAGE | an option file is too large, too deep or full of aliases | write the values out
CFG_FILE_INVALID | REFUSE | USAGE | an option file is no YAML | correct the file
CFG_INVALID | REFUSE | USAGE | the settings do not fit together | see the message
PATH_ESCAPE | REFUSE | REFUSED | a path leaves its folder | use a path inside
INPUT_MISSING | REFUSE | REFUSED | an input is not there | check the path
NAME_UNKNOWN | REFUSE | REFUSED | the run holds nothing of that name | take one of the nearest names
OUTPUT_NOT_WRITABLE | REFUSE | REFUSED | the output folder cannot be written | free it or choose another
OUTPUT_EXISTS | REFUSE | REFUSED | the output is there already | choose another out=
OUTPUT_IN_INPUT | REFUSE | REFUSED | output and input lie inside one another | choose another out=
OUTPUT_MISSING | REFUSE | INTEGRITY | a file of the manifest is gone | make it again
OUTPUT_CHANGED | REFUSE | INTEGRITY | a file is not what was written | make it again
MANIFEST_INVALID | REFUSE | INTEGRITY | the manifest cannot be trusted | make the run again
SCHEMA_NEWER | REFUSE | REFUSED | written by a newer version | use that version
SCORE_FINGERPRINT | REFUSE | REFUSED | the run was scored otherwise | ledger.new_run=true or another run=
RUN_LOCKED | REFUSE | LOCKED | another run holds the folder | wait, or lock.break=true when it is dead
ILLUM_INVALID | REFUSE | REFUSED | the light profile is missing, of another size or zero | ingest again, give another, or intensity.illumination=none
PIXEL_SIZE_MISMATCH | REFUSE | REFUSED | pixel sizes differ, so cells would | train on such plates
PLATE_CHANNEL_MISSING | REFUSE | REFUSED | the plate lacks a channel that is asked for | check the channels
PLATE_META_MISSING | REFUSE | REFUSED | the plate has no metadata | ingest it again
PLATE_TIME_UNKNOWN | REFUSE | REFUSED | the plate has no such time point | choose one of those named
STITCH_POSITIONS | REFUSE | REFUSED | the fields are no regular grid of known positions | stitch=false
PLATE_INDEX_MISMATCH | REFUSE | REFUSED | well names and indices disagree | ingest it again
PLATE_DUPLICATE | REFUSE | REFUSED | a plate id is used twice | rename one
PLATE_INCOMPLETE | HOLD | PARTIAL | files of the plate are not there yet | run again when copied
PLATE_PLANES | REFUSE | REFUSED | fields hold several times or focal planes | ingest with z=max and one time
PLATE_DARK | HOLD | PARTIAL | a channel shows one value only in many fields | check the lamp or filter
PLATE_UNSTABLE | HOLD | PARTIAL | files of the plate may still be written | run the same command when it is done
MAP_MISSING | HOLD | PARTIAL | no map tells what the plate's wells hold | add its wells to the map, run again
INVENTORY_INVALID | REFUSE | REFUSED | the list of sums cannot be read | write it with sha256sum
INPUT_CHANGED | Q-field | PARTIAL | the file changed while it was used | ingest the plate when nothing writes to it
IMG_HASH_MISMATCH | Q-field | PARTIAL | the file is not the one of the inventory | copy it again
PLATE_NO_CONTROLS | REFUSE | REFUSED | no control wells where the step needs them | mark controls in the map
PLATE_NORM_IMPOSSIBLE | Q-plate | PARTIAL | nearly all controls are lost | read the raw scores
ZARR_UNSUPPORTED | REFUSE | REFUSED | the store's version or codec is unknown | convert it
CODEC_NOT_ALLOWED | REFUSE | REFUSED | the store asks for a codec that is not allowed | convert it
AXES_UNKNOWN | REFUSE | REFUSED | the store does not name its axes | convert it
LIMIT_EXCEEDED | REFUSE | REFUSED | a declared size is beyond the limit | check the file
STORE_FORBIDDEN | REFUSE | REFUSED | the store may not be read | ask for the right to read
ARCHIVE_INVALID | REFUSE | REFUSED | the archive is cut off or not safe to read | copy it again
PATH_COLLISION | REFUSE | REFUSED | two folders of the plate are one well | keep one of them
PIXEL_SIZE_UNKNOWN | REFUSE | REFUSED | the plate gives no pixel size with a unit | ingest it with pixel_size_um=
PYRAMID_INCOMPLETE | WARN | COMPLETE | smaller resolution levels are missing or do not fit | none needed
S3_PACKAGE_MISSING | REFUSE | REFUSED | reading from S3 needs the extra s3 | pip install 'senoscreen[s3]'
SOURCE_UNSUPPORTED | REFUSE | REFUSED | no such kind of source is read | give a folder, a zip file or s3://bucket/prefix
STORE_UNREACHABLE | STOP | RESOURCES | the storage service does not answer | check network and endpoint, run again
NO_PIXEL_CHECKSUM | WARN | COMPLETE | the pixels carry no checksum | ingest with checksums
WELL_NOT_IN_MAP | Q-well | PARTIAL | the well is imaged but not in the map | complete the map
WELL_MISSING | Q-well | PARTIAL | the well is in the map but not imaged | image it or mark it no_cells
WELL_UNLISTED | Q-well | PARTIAL | the well is on disk but not listed | ingest the plate again
WELL_FAILED | WARN | COMPLETE | no cells in one of several replicates | look at the well
MAP_COLUMN_MISSING | REFUSE | REFUSED | the map lacks a column | add it
MAP_WELL_RANGE | REFUSE | REFUSED | the well is not on the plate | correct the line
MAP_DUPLICATE_WELL | REFUSE | REFUSED | the well is listed twice | remove a line
MAP_CONC_INVALID | REFUSE | REFUSED | the concentration is no positive number | correct the line
MAP_ROLE_UNKNOWN | REFUSE | REFUSED | the role is no word of the list | correct the line
MAP_NUMBER_AMBIGUOUS | REFUSE | REFUSED | a number can be read two ways | write it with a point
MAP_PLATE_UNKNOWN | REFUSE | REFUSED | the map and the plates disagree | correct the plate id
MAP_CONFLICT | REFUSE | REFUSED | two maps disagree on a plate | correct one
MAP_MERGED_CELLS | REFUSE | REFUSED | merged cells leave others empty | unmerge them and fill every cell
MAP_CELL_TYPE | REFUSE | REFUSED | a cell holds a date, a formula or a number for a name | format it as text, type it again
MAP_FORMAT_UNKNOWN | REFUSE | REFUSED | the file has the headers of no kind of plate map | give it headers, or name map_format
MAP_OPTION_INVALID | REFUSE | REFUSED | a default or an alias names nothing of a plate map | use one of the list
MAP_SOLVENT_UNEQUAL | WARN | COMPLETE | vehicle and treated wells got unequal volumes | back-fill the solvent
MAP_BLOCK_INVALID | REFUSE | REFUSED | a block of wells is shifted, turned, cut or unnamed | correct its labels
MAP_DILUTION_MISSING | REFUSE | REFUSED | stock concentrations without the dilution | say map_defaults dilution or well_volume_ul
MAP_MIXTURE | REFUSE | REFUSED | two compounds in one well | screen mixtures as compounds of their own
MAP_TRANSFER_INVALID | REFUSE | REFUSED | a transfer cannot be read | correct the line
MAP_TRANSFER_FAILED | WARN | COMPLETE | a transfer into the well failed, the well is left out | transfer again
MAP_WELL_EXCLUDED | WARN | COMPLETE | the map leaves the well out | none needed
MAP_LAYOUT_UNUSED | WARN | COMPLETE | a layout belongs to no plate | correct its name
MAP_INVISIBLE | WARN | COMPLETE | invisible signs were taken out of cells | none needed
MAP_QUOTE_ODD | WARN | COMPLETE | a cell holds a single quotation mark | take it out, or leave it
MAP_NO_LINE_END | WARN | COMPLETE | the last line has no end, the file may be cut off | see that it is whole
MAP_NAMES_ALIKE | WARN | COMPLETE | two names differ only in case, blanks or signs | write one name in one way
MAP_PARTLY_FILLED | WARN | COMPLETE | a column is filled on some wells of a role only | fill it, or leave it
MAP_UNITS_MIXED | WARN | COMPLETE | doses come in several units | check the units
MAP_VALUES_VARY | WARN | COMPLETE | a plate has several batches or very many lines | check the columns
MAP_SHEET_IGNORED | WARN | COMPLETE | a sheet is hidden or no plate map | none needed
MAP_TEXT_IGNORED | WARN | COMPLETE | text beside the table is not read | none needed
PLATE_SWAP_SUSPECT | WARN | COMPLETE | two plates fit each other's map and not their own | check the barcodes
MAP_ORIENTATION_SUSPECT | WARN | COMPLETE | the controls behave as if the map were turned | check which way the plate was read
CMPD_SMILES_INVALID | WARN | COMPLETE | the structure does not parse | correct the SMILES
CMPD_SMILES_TRAILING | WARN | COMPLETE | text follows the structure | remove it
CMPD_NO_STRUCTURE | WARN | COMPLETE | the compound has no structure | add a SMILES
CMPD_TOO_LARGE | WARN | COMPLETE | the structure is beyond the limit | leave it out
CMPD_SANITIZE_FAILED | WARN | COMPLETE | the chemistry is refused | correct the SMILES
CMPD_ID_CONFLICT | REFUSE | REFUSED | one id has several structures | correct the library
CMPD_TIMEOUT | WARN | COMPLETE | the structure takes too long to read | leave it out
CMPD_CRASH | WARN | COMPLETE | the structure ends the process that reads it | leave it out
CMPD_RECORD_INVALID | WARN | COMPLETE | a record of an SD file holds no molecule | export it again
LIBRARY_CHANGED | REFUSE | REFUSED | the computed library is not what was written | ingest the library again
CMPD_UNKNOWN | WARN | COMPLETE | the compound is not in the library | add it
COMPOUND_UNUSED | WARN | COMPLETE | the compound is in no well | none needed
CONC_SUSPECT | WARN | COMPLETE | the dose is far from its peers | check the unit
IMG_EMPTY_FILE | Q-field | PARTIAL | the image file is empty | copy it again
IMG_TRUNCATED | Q-field | PARTIAL | the image file is cut off | copy it again
IMG_DECODE_ERROR | Q-field | PARTIAL | the image cannot be decoded | copy it again
IMG_DECODER_CRASH | Q-field | PARTIAL | the file ended its decoder twice, or never came to an end | copy it again
IMG_RANGE | Q-field | PARTIAL | a count is above what the camera can give | check level_max
IMG_TOO_LARGE | Q-field | PARTIAL | the image declares too many pixels | check the file
IMG_SHAPE_MISMATCH | Q-field | PARTIAL | the image has another size than the plate | check the file
IMG_DTYPE_MISMATCH | Q-field | PARTIAL | the image has another type than the plate | check the file
IMG_UNSUPPORTED_LAYOUT | Q-field | PARTIAL | colour, palette or 1-bit image | export it as grey
IMG_PARTIAL_ZERO | Q-field | PARTIAL | whole rows of the image are zero | copy it again
IMG_ACQUISITION_ERROR | Q-field | PARTIAL | the instrument reports that the image failed | image the field again
IMG_NONFINITE | Q-field | PARTIAL | the image holds NaN or Inf | export it again
IMG_PLANE_COUNT | Q-field | PARTIAL | the file has other planes than stated | check the export
IMG_DUPLICATE | Q-field | PARTIAL | two files for one image | remove one
IMG_BLANK | Q-field | PARTIAL | every pixel is zero | check lamp and shutter
IMG_CONSTANT | Q-field | PARTIAL | every pixel is the same | check the camera
IMG_SATURATED | WARN | COMPLETE | many pixels of the field are at the limit; it leaves with qc.mode=enforce above qc.saturated_max | expose less
FIELD_CHANNEL_MISSING | Q-field | PARTIAL | a channel of the field is missing | copy it again
FIELD_MISSING | Q-field | PARTIAL | a field of the well is missing | copy it again
CHUNK_MISSING | Q-field | PARTIAL | the field's pixels are not there | copy the plate again
CHUNK_EMPTY | Q-field | PARTIAL | the field's file has no bytes | copy the plate again
CHUNK_CORRUPT | Q-field | PARTIAL | the field's checksum does not agree | copy the plate again
IO_ERROR | Q-field | PARTIAL | the disk reports an error | check the disk
IO_STALE | Q-field | PARTIAL | the file was replaced on its server while it was read | copy the plate again
BANK_UNUSABLE | REFUSE | REFUSED | the bank of nuclei cannot be used | check bank=
CAMPAIGN_INVALID | REFUSE | REFUSED | the campaign's parts do not fit | write it anew
CAMPAIGN_MISSING | REFUSE | REFUSED | there is no campaign | check the path
CMPD_COLUMN_MISSING | REFUSE | REFUSED | the library lacks a column | add it
CMPD_COLUMN_IGNORED | WARN | COMPLETE | a column of the library is not read | none needed
CMPD_DUPLICATE | WARN | COMPLETE | a compound is listed twice and merged | remove a line
CMPD_ID_MISSING | REFUSE | REFUSED | a compound has no id | give it one
FIELD_META_INVALID | Q-field | PARTIAL | the field's metadata do not fit | ingest the plate again
FIELD_META_MISSING | Q-field | PARTIAL | the field's metadata are gone | ingest the plate again
FILE_UNREADABLE | REFUSE | REFUSED | a file cannot be read | check its rights
FOLDER_MISSING | REFUSE | REFUSED | there is no such folder | check the path
IMG_UNREADABLE | Q-field | PARTIAL | the image file cannot be read | check its rights
IMG_WELL_INVALID | REFUSE | REFUSED | a file name holds no well | correct the pattern
MAP_CELL_EMPTY | REFUSE | REFUSED | a cell that is needed is empty | fill it
MAP_COLUMN_IGNORED | WARN | COMPLETE | a column of the map is not read | none needed
MAP_COLUMN_UNKNOWN | REFUSE | REFUSED | a column of the map is unknown | correct its name
MAP_EMPTY | REFUSE | REFUSED | the map has no rows | add the wells
MAP_PLATE_NAME | REFUSE | REFUSED | a plate id cannot be used | correct it
MAP_STATE_UNKNOWN | REFUSE | REFUSED | the state is no word of the list | correct the line
MAP_UNIT_INVALID | REFUSE | REFUSED | the unit is unknown | use nM, uM, mM or M
MAP_VALUE_INVALID | REFUSE | REFUSED | a value cannot be read | correct the line
NO_FILES_MATCHED | REFUSE | REFUSED | the pattern fits no file | dry_run=true shows the names
PATTERN_SLOW | REFUSE | REFUSED | the pattern takes too long on a name | simplify it: no repeat inside a repeat
READER_UNKNOWN | REFUSE | REFUSED | the kind of export is not clear | give reader=
EXPORT_PARTIAL | WARN | COMPLETE | the metadata state more than the folder holds | export again if it was imaged
EXPORT_INVALID | REFUSE | REFUSED | the metadata of the export cannot be used | copy or export the plate again
XML_INVALID | REFUSE | REFUSED | the XML is broken | copy or export the plate again
XML_FORBIDDEN | REFUSE | REFUSED | the XML declares entities or a DTD | export the plate again
PATTERN_INVALID | REFUSE | REFUSED | the pattern cannot be used | correct it
PLATE_CHANNEL_MISMATCH | REFUSE | REFUSED | plates differ in channels | screen them apart
PLATE_CHANNEL_UNKNOWN | REFUSE | REFUSED | files of an unnamed channel | name all channels
PLATE_EXISTS | REFUSE | REFUSED | the plate is there already | choose another out=
PLATE_FORMAT_MISMATCH | REFUSE | REFUSED | plate formats differ | screen them apart
PLATE_ID_MISMATCH | REFUSE | REFUSED | the store is of another plate | correct its id
PLATE_META_INVALID | REFUSE | REFUSED | the plate's metadata do not fit | ingest it again
PLATE_MISSING | REFUSE | REFUSED | a plate is not on disk | ingest or copy it there
PLATE_NOT_IMAGED | HOLD | PARTIAL | the map has a plate without images | run again when it is imaged, or take it out of the map
SCHEMA_UNSUPPORTED | REFUSE | REFUSED | written in another schema | use the version that wrote it
HAND_TABLE_INVALID | REFUSE | REFUSED | a decision by hand does not fit the screen | correct the line
ORTHOGONAL_INVALID | REFUSE | REFUSED | a table of another assay does not fit the screen | correct the line
ORTHOGONAL_FAILED | WARN | COMPLETE | the hit is beyond the limit of another assay | look at its value in that assay
READOUT_COLUMN_MISSING | REFUSE | REFUSED | the table lacks a column | name it in table_columns
READOUT_DUPLICATE_WELL | REFUSE | REFUSED | a well has several rows | keep one row a well
READOUT_MISSING | Q-well | PARTIAL | the table has no number for the well | measure it again, or exclude it
READOUT_NUMBER_INVALID | REFUSE | REFUSED | a cell holds no usable number | correct the line
READOUT_WELL_INVALID | REFUSE | REFUSED | a row names no well of a plate | correct the line
TABLE_EMPTY | REFUSE | REFUSED | the table has no rows | check the file
TABLE_ENCODING | REFUSE | REFUSED | the text is not UTF-8 | save it as UTF-8 CSV
TABLE_FORMAT | REFUSE | REFUSED | the file is no table | save it as UTF-8 CSV
TABLE_HEADER | REFUSE | REFUSED | the header cannot be used | correct it
TABLE_QUOTES | REFUSE | REFUSED | a quote is not closed | correct the line
TABLE_RAGGED | REFUSE | REFUSED | a line has more or fewer cells | correct the line
TABLE_UNREADABLE | REFUSE | REFUSED | the table cannot be read | check path and rights
IGNORED_FILES | WARN | COMPLETE | files match no pattern | none needed
NO_CELLS | WARN | COMPLETE | the well has no cells | none needed
CAPACITY | WARN | COMPLETE | more cells than finder.max_cells; the weakest are left out | raise finder.max_cells
MAP_PADDED | WARN | COMPLETE | spaces around a cell were removed | none needed
NO_HEALTHY_SCALE | WARN | COMPLETE | the plate has no healthy control wells, so no rescue scale | mark unstressed vehicle wells
NO_STRESSED_SCALE | WARN | COMPLETE | the plate has no stressed control wells, so no rescue scale | mark stressed vehicle wells
SCALE_INVERTED | WARN | COMPLETE | healthy controls score as more senescent than stressed ones | check the map and the anchors
SCALE_COLLAPSED | WARN | COMPLETE | healthy and stressed controls score alike | train on these plates
CONTROLS_TOO_FEW | WARN | COMPLETE | a group of control wells is too small for Z' and SSMD | mark more control wells
CONTROL_SPREAD_ZERO | WARN | COMPLETE | the control wells of a group are all alike, so there is no Z' and no SSMD | look for saturated, clipped or rounded values
RATIO_SCALE_NONE | WARN | COMPLETE | the read-out has no zero of its own, so there is no signal to background and no CV | none needed
OUT_OF_FOCUS | WARN | COMPLETE | the well or field is blurred against its plate; such a well is left out of tests | image it again
BLANK | WARN | COMPLETE | the field is dark and flat against its plate | check lamp, shutter and filter
BACKGROUND | WARN | COMPLETE | the field's background is far from its plate's | look at the field, and for fluorescence of the compound
DEBRIS | WARN | COMPLETE | bright or broad structures that are no nuclei cover much of the field | look for dust, crystals and fibres
CHANNEL_BRIGHT | WARN | COMPLETE | the compound's wells are brighter in a channel than both vehicles | look for its fluorescence, or for a stain that changed
FLUORESCENCE_SUSPECT | WARN | COMPLETE | the compound is a dye or binds DNA by its structure, or its wells shine | look at wells without stain
BACKGROUND_HIGH | WARN | COMPLETE | the background is far above the vehicle's | look for fluorescence of the compound
SEG_SUSPECT | WARN | COMPLETE | over 20 times the cells of the plate's wells, or one object over half the field; it is left out | look at the segmentation
VEHICLE_EMPTY | WARN | COMPLETE | vehicle wells of the plate have no cells | look for failed seeding or a dead corner
COUNT_OUTLIER | WARN | COMPLETE | the cell number is far from the plate's | look at the well
NOT_SCORED | WARN | PARTIAL | the well has no record yet | run score again
DENSITY_CONFOUNDED | WARN | COMPLETE | the score of vehicle wells moves with their cell number, so this hit's may too | compare its cell number with the vehicle's, add a seeding titration
SEEDING_TITRATION | WARN | COMPLETE | a vehicle well seeded otherwise than its plate; it informs the density audit alone | none needed
COUNT_MAY_EXPLAIN | WARN | COMPLETE | against vehicle wells of the same cell number the effect is not significant | look at crowding, add a seeding titration
POSITION_MAY_EXPLAIN | WARN | COMPLETE | the compound lies in the same wells on all plates, and vehicle wells stray by place as far | lay its replicates out elsewhere
TOXIC_AT_HIGHER_DOSE | WARN | COMPLETE | a higher dose of the compound kills | prefer the lower dose
LOW_CELLS | WARN | COMPLETE | the well has very few cells | none needed
RECORD_TORN | WARN | COMPLETE | a well's record is not whole, the well counts as not done | run the same command again
EVENTS_DAMAGED | WARN | COMPLETE | progress is told by the events, results do not rest on them | none needed
DISK_FULL | STOP | RESOURCES | the disk is full | free space, run again
FILE_LIMIT | STOP | RESOURCES | a file may not become as large as it must | raise ulimit -f or write to another disk, then run the same command again
MEMORY_FULL | STOP | RESOURCES | the memory is used up | lower cluster.threads or minibatch
STORAGE_FAILING | STOP | RESOURCES | the disk or server fails: no fault of single images | check disk, mount and network, run again with quarantine.retry=true
CREDENTIALS_EXPIRED | STOP | RESOURCES | the right to read the storage ran out | log in anew, run the same command again
MOUNT_GONE | STOP | RESOURCES | an input folder went away in mid-run | bring it back, run the same command again
TOO_MANY_FILES | STOP | RESOURCES | too many files are open | raise ulimit -n
QUARANTINE_SHARE | STOP | QUARANTINE | too many wells are quarantined | look at the codes, raise quarantine.max_share
"""

_ROWS = "\n".join(
    text.strip()
    for text in (_TABLE, COMPUTE_CODES, CURVE_CODES, LEARNING_CODES, NORMALIZER_CODES)
).splitlines()
CODES: dict[str, Code] = dict(map(_row, _ROWS))
