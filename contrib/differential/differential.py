#!/usr/bin/python3
import argparse, sys, os, collections
sys.dont_write_bytecode = True
import imap, servers, compare
