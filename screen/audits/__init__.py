"""Audits of a score: shortcuts by place, confounding by cell number, baselines of a well."""

from screen.audits.audit import Audits as Audits
from screen.audits.audit import audit_message as audit_message
from screen.audits.audit import audit_wells as audit_wells
from screen.audits.audit import flag_confounded as flag_confounded
from screen.audits.vehicle import control_names as control_names
