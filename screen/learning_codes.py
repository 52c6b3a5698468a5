"""Reason codes of cells, networks and what they learn from; `screen.codes` reads them."""

# name | outcome | exit code | meaning | remedy
LEARNING_CODES = """
MODEL_INVALID | REFUSE | REFUSED | the model is cut, changed or does not fit | train it again
WEIGHTS_UNSAFE | REFUSE | REFUSED | a weight file asks for more than numbers; nothing of it was run | take it from its authors, best as safetensors
WEIGHTS_INVALID | REFUSE | REFUSED | a weight file is cut, of an unknown form or holds no numbers | fetch it again
WEIGHTS_MISMATCH | REFUSE | REFUSED | the weights are of another network or number of channels | see the message
CENTRES_FORMAT | REFUSE | REFUSED | the file holds no centres or labels | save a table, or label images as TIFF or PNG
CENTRES_COLUMN_MISSING | REFUSE | REFUSED | the table of centres lacks a column | give well, field, y_px and x_px
CENTRES_VALUE_INVALID | REFUSE | REFUSED | a centre is no pair of numbers | correct the line
CENTRES_PLACE_UNKNOWN | REFUSE | REFUSED | the plate has no such well or field | correct the names or pattern=
CENTRES_OUTSIDE | REFUSE | REFUSED | a centre lies outside its field | give pixels of the fields as ingested
CENTRES_DOUBLED | WARN | COMPLETE | a centre stands twice and counts once | none needed
CENTRES_NONE | REFUSE | REFUSED | no centres are given with a plate | ingest centres=PATH
CENTRES_MISSING | Q-field | PARTIAL | the field was never looked at for centres | give its centres, or a line without y and x
SEGMENTER_UNKNOWN | REFUSE | REFUSED | no segmenter of this name is installed | install its package or name another
SEGMENTER_FAILED | Q-field | PARTIAL | the segmenter ended with an error | look at its message
SEGMENTER_LABELS | Q-field | PARTIAL | the segmenter gave no label image of the field | report it to its makers
CROPS_FOLDER | REFUSE | REFUSED | the folder is no labelled crop set | name a folder with one CSV and its pictures
CROPS_COLUMN_MISSING | REFUSE | REFUSED | the crop list lacks a column | add it or name another
CROPS_CELL_EMPTY | REFUSE | REFUSED | a crop has no label or group | fill the cell
CROPS_NONE | REFUSE | REFUSED | no crop is left | check crops_filter
CROPS_LABEL_TYPO | REFUSE | REFUSED | a label is nearly another one | correct it, or name both with crops_classes
CROPS_VALUE_INVALID | REFUSE | REFUSED | a value to be learnt is no number | correct the cell
CROPS_PIXELS | REFUSE | REFUSED | the pictures are of another kind than asked for | crops_input=plain, or grey crops of 8 bits
FOLD_LABEL_MISSING | REFUSE | REFUSED | a fold would learn or be judged without a label | fewer folds, another evaluation.scheme or crops_group
CROPS_LABELS | REFUSE | REFUSED | crops of two states are needed | check crops_label and crops_positive
CROPS_NONFINITE | REFUSE | REFUSED | crops or values hold NaN or Inf | export the images again
TRAINING_DIVERGED | STOP | REFUSED | the loss is no number any more | lower optimizer.learning_rate or clip_norm
CHECKPOINT_INVALID | REFUSE | REFUSED | the checkpoint is cut, changed or none | delete it to begin anew
CHECKPOINT_MISMATCH | REFUSE | REFUSED | the checkpoint is of another plan, other data or other library versions | undo the change, or delete it
DEVICE_ABSENT | REFUSE | REFUSED | the device that is asked for is not there | device=auto or device=cpu
TOO_FEW_GROUPS | REFUSE | REFUSED | too few groups to hold any out | name another crops_group
WEIGHTS_LEAK | REFUSE | REFUSED | the weights learnt from the wells or crops they would be judged by | begin from weights of other plates or groups
NETWORK_INVALID | REFUSE | REFUSED | the network takes no crops of this size | change network.crop_px
TRAINING_INVALID | REFUSE | REFUSED | the folder holds no finished training | name folders of trained models
TRAINING_UNJUDGED | REFUSE | REFUSED | the training held out nothing to judge it by | hold wells out, as split=halves does
COMPARE_NONE | REFUSE | REFUSED | there is no model to rank | name folders of trained models
COMPARE_METRICS | REFUSE | REFUSED | the models were judged by different measures | compare them apart
COMPARE_DATA | REFUSE | REFUSED | the models learnt from different data | compare them apart
TUNE_SEARCH | REFUSE | REFUSED | what is searched cannot be read | write KEY=log(LOW,HIGH) or choice(A,B)
TUNE_STUDY_CHANGED | REFUSE | REFUSED | the study was begun with other settings | undo the change, or give another out=
TUNE_STUDY_INVALID | REFUSE | INTEGRITY | the file of a study is damaged | delete it to begin anew
TUNE_NO_TRIAL | REFUSE | REFUSED | no trial of the study was judged | try the words with train first
EXPLAIN_COMPOUND_UNKNOWN | REFUSE | REFUSED | no compound or label of this name | correct the name
EXPLAIN_WELLS_MISSING | REFUSE | REFUSED | no well of the compound is imaged | name another compound or dose_um
EXPLAIN_NO_CELLS | REFUSE | REFUSED | there are no cells that a network may explain | name other compounds
EXPLAIN_STAGE_UNKNOWN | REFUSE | REFUSED | the network has no such map stage | name one of the list
EXPLAIN_OUTPUT_UNKNOWN | REFUSE | REFUSED | the network has no such output | name one of the list
EXPLAIN_SOURCE | REFUSE | REFUSED | the model learnt from pictures of another kind | give campaign= or crops=, as it learnt
"""
