-- A store as revision 0001 left it: its tables, and rows written by the code of that time.
-- In the dialect of SQLite; test_store_upgrade.py says what PostgreSQL called otherwise. Never change it:
-- a revision that has been released is what people have on their disks.

CREATE TABLE hstore_alembic_version (
  version_num VARCHAR(32) NOT NULL,
  CONSTRAINT hstore_alembic_version_pkc PRIMARY KEY (version_num)
);

INSERT INTO hstore_alembic_version VALUES ('0001');

CREATE TABLE materials (
  material_id VARCHAR NOT NULL,
  formula VARCHAR NOT NULL,
  composition VARCHAR NOT NULL,
  chemical_system VARCHAR NOT NULL,
  family VARCHAR NOT NULL,
  known BOOLEAN NOT NULL,
  name VARCHAR NOT NULL,
  reason VARCHAR NOT NULL,
  structure JSON,
  descriptors JSON NOT NULL,
  provenance JSON NOT NULL,
  lab_id VARCHAR,
  visibility VARCHAR NOT NULL,
  embargo_until DATE,
  CONSTRAINT pk_materials PRIMARY KEY (material_id),
  CONSTRAINT ck_materials_lab_records_name_their_lab CHECK (visibility = 'public' OR (visibility = 'lab' AND lab_id IS NOT NULL))
);

CREATE INDEX ix_materials_access ON materials (lab_id, visibility, embargo_until);
CREATE INDEX ix_materials_family_material_id ON materials (family, material_id);
CREATE INDEX ix_materials_chemical_system_material_id ON materials (chemical_system, material_id);
CREATE INDEX ix_materials_composition_material_id ON materials (composition, material_id);

INSERT INTO materials VALUES ('LaNi5','LaNi5','LaNi5','La-Ni','interstitial',TRUE,'','the classic AB5',NULL,'{}','{"source":"ml_hydpark","reference":"10.1016/0022-5088(82)90125-X","licence":"CC-BY-4.0","retrieved":"2025-03-01","note":"first plateau"}',NULL,'public',NULL);
INSERT INTO materials VALUES ('MOF-5 ünïcode','Zn4O13C24H12','C24H12O13Zn4','C-H-O-Zn','sorbent',FALSE,'MOF-5','',NULL,'{"void_fraction":0.81,"surface_area_m2_per_g":3800.0}','{"source":"mof_h2_usable"}',NULL,'public',NULL);
INSERT INTO materials VALUES ('TiFe','TiFe','FeTi','Fe-Ti','interstitial',TRUE,'','','{"@module":"pymatgen.core.structure","@class":"Structure","charge":0,"lattice":{"matrix":[[3.0,0.0,0.0],[0.0,3.0,0.0],[0.0,0.0,3.0]],"pbc":[true,true,true],"a":3.0,"b":3.0,"c":3.0,"alpha":90.0,"beta":90.0,"gamma":90.0,"volume":27.0},"properties":{},"sites":[{"species":[{"element":"Ti","occu":1}],"abc":[0.0,0.0,0.0],"properties":{},"label":"Ti","xyz":[0.0,0.0,0.0]},{"species":[{"element":"Fe","occu":1}],"abc":[0.5,0.5,0.5],"properties":{},"label":"Fe","xyz":[1.5,1.5,1.5]}]}','{"density_g_per_cm3":6.38}','{"source":"ml_hydpark","reference":"10.1016/0022-5088(82)90125-X","licence":"CC-BY-4.0","retrieved":"2025-03-01","note":"first plateau"}',NULL,'public',NULL);
INSERT INTO materials VALUES ('north-1','Mg2Ni0.9Fe0.1','FeMg20Ni9','Fe-Mg-Ni','interstitial',FALSE,'','iron for nickel',NULL,'{}','{"source":"north"}','north','lab',NULL);
INSERT INTO materials VALUES ('north-2','Li6PS5Cl','ClLi6PS5','Cl-Li-P-S','electrolyte',FALSE,'','',NULL,'{}','{"source":"north"}','north','lab','2025-06-30');

CREATE TABLE material_elements (
  element VARCHAR NOT NULL,
  material_id VARCHAR NOT NULL,
  CONSTRAINT pk_material_elements PRIMARY KEY (element, material_id),
  CONSTRAINT fk_material_elements_material_id FOREIGN KEY(material_id) REFERENCES materials (material_id) ON DELETE CASCADE
);

CREATE INDEX ix_material_elements_material_id ON material_elements (material_id);

INSERT INTO material_elements VALUES
  ('La','LaNi5'), ('Ni','LaNi5'), ('C','MOF-5 ünïcode'), ('H','MOF-5 ünïcode'), ('O','MOF-5 ünïcode'),
  ('Zn','MOF-5 ünïcode'), ('Fe','TiFe'), ('Ti','TiFe'), ('Fe','north-1'), ('Mg','north-1'),
  ('Ni','north-1'), ('Cl','north-2'), ('Li','north-2'), ('P','north-2'), ('S','north-2');

CREATE TABLE measurements (
  measurement_id VARCHAR NOT NULL,
  material_id VARCHAR NOT NULL,
  measured_on DATE,
  replaces VARCHAR,
  property VARCHAR NOT NULL,
  value DOUBLE NOT NULL,
  unit VARCHAR NOT NULL,
  kind VARCHAR NOT NULL,
  standard_deviation DOUBLE,
  lower DOUBLE,
  upper DOUBLE,
  temperature_k DOUBLE,
  pressure_bar DOUBLE,
  charge_pressure_bar DOUBLE,
  charge_temperature_k DOUBLE,
  discharge_pressure_bar DOUBLE,
  discharge_temperature_k DOUBLE,
  capacity_definition VARCHAR,
  mass_basis VARCHAR,
  uptake_kind VARCHAR,
  provenance JSON NOT NULL,
  lab_id VARCHAR,
  visibility VARCHAR NOT NULL,
  embargo_until DATE,
  CONSTRAINT pk_measurements PRIMARY KEY (measurement_id),
  CONSTRAINT ck_measurements_lab_records_name_their_lab CHECK (visibility = 'public' OR (visibility = 'lab' AND lab_id IS NOT NULL)),
  CONSTRAINT fk_measurements_material_id FOREIGN KEY(material_id) REFERENCES materials (material_id),
  CONSTRAINT fk_measurements_replaces FOREIGN KEY(replaces) REFERENCES measurements (measurement_id),
  CONSTRAINT uq_measurements_replaces UNIQUE (replaces)
);

CREATE INDEX ix_measurements_access ON measurements (lab_id, visibility, embargo_until);
CREATE INDEX ix_measurements_material_id_measurement_id ON measurements (material_id, measurement_id);
CREATE INDEX ix_measurements_property_measurement_id ON measurements (property, measurement_id);

INSERT INTO measurements VALUES ('m1','LaNi5','2025-02-03',NULL,'h2_capacity_wt_pct',1.49,'wt%','measured',0.02,NULL,NULL,298.15,10.0,NULL,NULL,NULL,NULL,'reversible','hydrogenated_material',NULL,'{"source":"ml_hydpark","reference":"10.1016/0022-5088(82)90125-X","licence":"CC-BY-4.0","retrieved":"2025-03-01","note":"first plateau"}',NULL,'public',NULL);
INSERT INTO measurements VALUES ('m2','north-1','2025-04-01',NULL,'desorption_enthalpy_kj_per_mol_h2',63.1,'kJ/mol H2','measured',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'{"source":"north"}','north','lab',NULL);
INSERT INTO measurements VALUES ('m3','north-1','2025-04-01','m2','desorption_enthalpy_kj_per_mol_h2',61.3,'kJ/mol H2','measured',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'{"source":"north","note":"baseline corrected"}','north','lab',NULL);
INSERT INTO measurements VALUES ('m4','MOF-5 ünïcode',NULL,NULL,'h2_uptake_wt_pct',5.1,'wt%','measured',NULL,NULL,NULL,77.0,40.0,NULL,NULL,NULL,NULL,NULL,'sorbent','excess','{"source":"ml_hydpark","reference":"10.1016/0022-5088(82)90125-X","licence":"CC-BY-4.0","retrieved":"2025-03-01","note":"first plateau"}',NULL,'public',NULL);

CREATE TABLE predictions (
  prediction_id VARCHAR NOT NULL,
  material_id VARCHAR NOT NULL,
  model_id VARCHAR NOT NULL,
  in_domain BOOLEAN NOT NULL,
  reason VARCHAR NOT NULL,
  property VARCHAR NOT NULL,
  value DOUBLE NOT NULL,
  unit VARCHAR NOT NULL,
  kind VARCHAR NOT NULL,
  standard_deviation DOUBLE,
  lower DOUBLE,
  upper DOUBLE,
  temperature_k DOUBLE,
  pressure_bar DOUBLE,
  charge_pressure_bar DOUBLE,
  charge_temperature_k DOUBLE,
  discharge_pressure_bar DOUBLE,
  discharge_temperature_k DOUBLE,
  capacity_definition VARCHAR,
  mass_basis VARCHAR,
  uptake_kind VARCHAR,
  provenance JSON NOT NULL,
  lab_id VARCHAR,
  visibility VARCHAR NOT NULL,
  embargo_until DATE,
  CONSTRAINT pk_predictions PRIMARY KEY (prediction_id),
  CONSTRAINT ck_predictions_lab_records_name_their_lab CHECK (visibility = 'public' OR (visibility = 'lab' AND lab_id IS NOT NULL)),
  CONSTRAINT fk_predictions_material_id FOREIGN KEY(material_id) REFERENCES materials (material_id)
);

CREATE INDEX ix_predictions_access ON predictions (lab_id, visibility, embargo_until);
CREATE INDEX ix_predictions_material_id_prediction_id ON predictions (material_id, prediction_id);
CREATE INDEX ix_predictions_property_material_id_prediction_id ON predictions (property, material_id, prediction_id);
CREATE INDEX ix_predictions_model_id_material_id_prediction_id ON predictions (model_id, material_id, prediction_id);

INSERT INTO predictions VALUES ('0dacac921557a221e5d69f29a41ca0f2161f089c5a32b3a045752caab0ee57fe','north-2','conductivity-9f8e7d',FALSE,'no chloride thiophosphate among its training rows','log10_conductivity_s_per_cm',-2.9,'log10(S/cm)','predicted',NULL,-4.0,-2.0,298.15,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'{"source":"model"}','north','lab','2025-06-30');
INSERT INTO predictions VALUES ('d1297da482389cb9400b3ff805ccc6796d68333f33649553e0ed24ff413a0b48','TiFe','hydride_capacity-1a2b3c',TRUE,'','h2_capacity_wt_pct',1.8,'wt%','predicted',0.2,1.4,2.1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'{"source":"model"}',NULL,'public',NULL);

CREATE TABLE screens (
  screen_id VARCHAR NOT NULL,
  target VARCHAR NOT NULL,
  created_at DATETIME NOT NULL,
  n_candidates BIGINT NOT NULL,
  n_rejected BIGINT NOT NULL,
  manifest JSON NOT NULL,
  top JSON NOT NULL,
  lab_id VARCHAR,
  visibility VARCHAR NOT NULL,
  embargo_until DATE,
  CONSTRAINT pk_screens PRIMARY KEY (screen_id),
  CONSTRAINT ck_screens_lab_records_name_their_lab CHECK (visibility = 'public' OR (visibility = 'lab' AND lab_id IS NOT NULL))
);

CREATE INDEX ix_screens_access ON screens (lab_id, visibility, embargo_until);
CREATE INDEX ix_screens_created_at ON screens (created_at);
CREATE INDEX ix_screens_target_created_at ON screens (target, created_at);

INSERT INTO screens VALUES ('s1','onboard','2025-05-01 12:30:15.250000',2,1,'{"command":"hstore screen onboard","seed":0}','[{"formula":"TiFe","rank":1}]',NULL,'public',NULL);
INSERT INTO screens VALUES ('s2','electrolyte','2025-05-02 00:00:00.000000',1,0,'{}','[]','north','lab',NULL);
