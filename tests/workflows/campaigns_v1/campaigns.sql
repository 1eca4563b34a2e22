BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('v3.2.0.a');
CREATE TABLE studies (
	study_id INTEGER NOT NULL, 
	study_name VARCHAR(512) NOT NULL, 
	PRIMARY KEY (study_id)
);
INSERT INTO "studies" VALUES(1,'old');
CREATE TABLE study_directions (
	study_direction_id INTEGER NOT NULL, 
	direction VARCHAR(8) NOT NULL, 
	study_id INTEGER NOT NULL, 
	objective INTEGER NOT NULL, 
	PRIMARY KEY (study_direction_id), 
	UNIQUE (study_id, objective), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "study_directions" VALUES(1,'MAXIMIZE',1,0);
CREATE TABLE study_system_attributes (
	study_system_attribute_id INTEGER NOT NULL, 
	study_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (study_system_attribute_id), 
	UNIQUE (study_id, "key"), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
CREATE TABLE study_user_attributes (
	study_user_attribute_id INTEGER NOT NULL, 
	study_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (study_user_attribute_id), 
	UNIQUE (study_id, "key"), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "study_user_attributes" VALUES(1,1,'hstore_campaign','{"maximize": "h2_capacity_wt_pct", "windows": ["desorption_enthalpy_kj_per_mol_h2:25:45"], "batch": 4, "pool_source": "pool.csv", "pool_rows": 12, "pool_sha256": "4e73b0f56bdd4230f9ea7372d67eec7a0a146df7bff56368019c24c5b5ef1da0", "model_ids": [], "seed": 0}');
INSERT INTO "study_user_attributes" VALUES(2,1,'hstore_rejected_results','[{"file": "r.csv", "row": 4, "material": "nobody", "cause": "material ''nobody'' is not in the campaign''s pool; check its spelling"}, {"file": "r.csv", "row": 5, "material": "m06", "cause": "h2_capacity_wt_pct must lie in [0, 25] wt%, got 480.0; check the value and its unit"}]');
CREATE TABLE trial_heartbeats (
	trial_heartbeat_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	heartbeat DATETIME NOT NULL, 
	PRIMARY KEY (trial_heartbeat_id), 
	UNIQUE (trial_id), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
CREATE TABLE trial_intermediate_values (
	trial_intermediate_value_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	step INTEGER NOT NULL, 
	intermediate_value FLOAT, 
	intermediate_value_type VARCHAR(7) NOT NULL, 
	PRIMARY KEY (trial_intermediate_value_id), 
	UNIQUE (trial_id, step), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
CREATE TABLE trial_params (
	param_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	param_name VARCHAR(512), 
	param_value FLOAT, 
	distribution_json TEXT, 
	PRIMARY KEY (param_id), 
	UNIQUE (trial_id, param_name), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
CREATE TABLE trial_system_attributes (
	trial_system_attribute_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (trial_system_attribute_id), 
	UNIQUE (trial_id, "key"), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_system_attributes" VALUES(1,1,'constraints:desorption_enthalpy_kj_per_mol_h2:25:45','-5.0');
INSERT INTO "trial_system_attributes" VALUES(2,6,'constraints:desorption_enthalpy_kj_per_mol_h2:25:45','-6.5');
CREATE TABLE trial_user_attributes (
	trial_user_attribute_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (trial_user_attribute_id), 
	UNIQUE (trial_id, "key"), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_user_attributes" VALUES(1,1,'material_id','"m08"');
INSERT INTO "trial_user_attributes" VALUES(2,1,'formula','"ZrV2"');
INSERT INTO "trial_user_attributes" VALUES(3,1,'predicted_mean','2.2');
INSERT INTO "trial_user_attributes" VALUES(4,1,'predicted_std','0.3');
INSERT INTO "trial_user_attributes" VALUES(5,1,'p_windows','0.4999683287581669');
INSERT INTO "trial_user_attributes" VALUES(6,1,'reason','"promises most by the screen''s prediction; predicted h2_capacity_wt_pct 2.2 (90 % interval 1.71 to 2.69); probability 0.50 of meeting desorption_enthalpy_kj_per_mol_h2:25:45"');
INSERT INTO "trial_user_attributes" VALUES(7,1,'lab','"north"');
INSERT INTO "trial_user_attributes" VALUES(8,1,'aim','"improve"');
INSERT INTO "trial_user_attributes" VALUES(9,2,'material_id','"m09"');
INSERT INTO "trial_user_attributes" VALUES(10,2,'formula','"TiCr1.8"');
INSERT INTO "trial_user_attributes" VALUES(11,2,'predicted_mean','2.1');
INSERT INTO "trial_user_attributes" VALUES(12,2,'predicted_std','0.3');
INSERT INTO "trial_user_attributes" VALUES(13,2,'p_windows','0.5791873613951779');
INSERT INTO "trial_user_attributes" VALUES(14,2,'reason','"promises most by the screen''s prediction; predicted h2_capacity_wt_pct 2.1 (90 % interval 1.61 to 2.59); probability 0.58 of meeting desorption_enthalpy_kj_per_mol_h2:25:45"');
INSERT INTO "trial_user_attributes" VALUES(15,2,'lab','"north"');
INSERT INTO "trial_user_attributes" VALUES(16,2,'aim','"improve"');
INSERT INTO "trial_user_attributes" VALUES(17,3,'material_id','"m05"');
INSERT INTO "trial_user_attributes" VALUES(18,3,'formula','"TiFe"');
INSERT INTO "trial_user_attributes" VALUES(19,3,'predicted_mean','1.8');
INSERT INTO "trial_user_attributes" VALUES(20,3,'predicted_std','0.3');
INSERT INTO "trial_user_attributes" VALUES(21,3,'p_windows','0.7254099529842495');
INSERT INTO "trial_user_attributes" VALUES(22,3,'reason','"promises most by the screen''s prediction; predicted h2_capacity_wt_pct 1.8 (90 % interval 1.31 to 2.29); probability 0.73 of meeting desorption_enthalpy_kj_per_mol_h2:25:45"');
INSERT INTO "trial_user_attributes" VALUES(23,3,'lab','"north"');
INSERT INTO "trial_user_attributes" VALUES(24,3,'aim','"improve"');
INSERT INTO "trial_user_attributes" VALUES(25,4,'material_id','"m06"');
INSERT INTO "trial_user_attributes" VALUES(26,4,'formula','"TiFe0.9Mn0.1"');
INSERT INTO "trial_user_attributes" VALUES(27,4,'predicted_mean','1.75');
INSERT INTO "trial_user_attributes" VALUES(28,4,'predicted_std','0.3');
INSERT INTO "trial_user_attributes" VALUES(29,4,'p_windows','0.8399948480369128');
INSERT INTO "trial_user_attributes" VALUES(30,4,'reason','"promises most by the screen''s prediction; predicted h2_capacity_wt_pct 1.75 (90 % interval 1.26 to 2.24); probability 0.84 of meeting desorption_enthalpy_kj_per_mol_h2:25:45"');
INSERT INTO "trial_user_attributes" VALUES(31,4,'lab','"north"');
INSERT INTO "trial_user_attributes" VALUES(32,4,'aim','"improve"');
INSERT INTO "trial_user_attributes" VALUES(33,5,'material_id','"m07"');
INSERT INTO "trial_user_attributes" VALUES(34,5,'formula','"MgH2"');
INSERT INTO "trial_user_attributes" VALUES(35,5,'predicted_mean','7.0');
INSERT INTO "trial_user_attributes" VALUES(36,5,'predicted_std','0.3');
INSERT INTO "trial_user_attributes" VALUES(37,5,'p_windows','3.315745978326105e-09');
INSERT INTO "trial_user_attributes" VALUES(38,5,'reason','"chosen for what it teaches: it may turn out well, and few predictions are less certain; predicted h2_capacity_wt_pct 7 (90 % interval 6.51 to 7.49); probability 0.00 of meeting desorption_enthalpy_kj_per_mol_h2:25:45"');
INSERT INTO "trial_user_attributes" VALUES(39,5,'lab','"north"');
INSERT INTO "trial_user_attributes" VALUES(40,5,'aim','"explore"');
INSERT INTO "trial_user_attributes" VALUES(41,1,'measured','{"desorption_enthalpy_kj_per_mol_h2": 30.0}');
INSERT INTO "trial_user_attributes" VALUES(42,6,'material_id','"m00"');
INSERT INTO "trial_user_attributes" VALUES(43,6,'formula','"LaNi5"');
INSERT INTO "trial_user_attributes" VALUES(44,6,'reason','"chosen by the lab, not proposed"');
INSERT INTO "trial_user_attributes" VALUES(45,6,'measured','{"desorption_enthalpy_kj_per_mol_h2": 31.5}');
CREATE TABLE trial_values (
	trial_value_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	objective INTEGER NOT NULL, 
	value FLOAT, 
	value_type VARCHAR(7) NOT NULL, 
	PRIMARY KEY (trial_value_id), 
	UNIQUE (trial_id, objective), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_values" VALUES(1,1,0,1.9,'FINITE');
INSERT INTO "trial_values" VALUES(2,3,0,1.6,'FINITE');
INSERT INTO "trial_values" VALUES(3,6,0,1.38,'FINITE');
CREATE TABLE trials (
	trial_id INTEGER NOT NULL, 
	number INTEGER, 
	study_id INTEGER, 
	state VARCHAR(8) NOT NULL, 
	datetime_start DATETIME, 
	datetime_complete DATETIME, 
	PRIMARY KEY (trial_id), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "trials" VALUES(1,0,1,'COMPLETE','2026-11-29 17:43:40.416215','2026-11-29 17:43:41.168484');
INSERT INTO "trials" VALUES(2,1,1,'FAIL','2026-11-29 17:43:40.750628','2026-11-29 17:43:41.210698');
INSERT INTO "trials" VALUES(3,2,1,'COMPLETE','2026-11-29 17:43:40.813599','2026-11-29 17:43:41.250051');
INSERT INTO "trials" VALUES(4,3,1,'RUNNING','2026-11-29 17:43:40.881198',NULL);
INSERT INTO "trials" VALUES(5,4,1,'RUNNING','2026-11-29 17:43:40.931683',NULL);
INSERT INTO "trials" VALUES(6,5,1,'COMPLETE','2026-11-29 17:43:41.444407','2026-11-29 17:43:41.572180');
CREATE TABLE version_info (
	version_info_id INTEGER NOT NULL, 
	schema_version INTEGER, 
	library_version VARCHAR(256), 
	PRIMARY KEY (version_info_id), 
	CHECK (version_info_id=1)
);
INSERT INTO "version_info" VALUES(1,12,'5.0.0');
CREATE UNIQUE INDEX ix_studies_study_name ON studies (study_name);
CREATE INDEX ix_trials_study_id ON trials (study_id);
COMMIT;
